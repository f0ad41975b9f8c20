"""A day of departures and weather, streamed: by Kafka and by TCP."""
