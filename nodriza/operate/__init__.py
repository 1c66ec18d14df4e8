"""What an operator does with an application that serves, one command for each thing."""
