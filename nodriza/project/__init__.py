"""What a Django project says of itself, read without running any of it."""
