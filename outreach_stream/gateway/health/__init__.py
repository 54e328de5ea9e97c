"""Whether Kafka is there and who works, for people and for Prometheus."""
