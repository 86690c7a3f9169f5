"""What is published: business events, protocol events, their topics and JSON Schemas."""
