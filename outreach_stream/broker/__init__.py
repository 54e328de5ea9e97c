"""The laptop's Kafka, and the creation and checking of topics on any Kafka."""
