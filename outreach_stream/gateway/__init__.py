"""The door for programs that do not speak Kafka: triggers in over HTTP, the state of runs out."""
