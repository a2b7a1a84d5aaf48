"""The built-in scenarios, each a pytest test."""
