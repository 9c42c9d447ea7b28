"""Commands of what people do in clips."""
