"""What is said between the services, and how it travels. Knows no service."""
