"""What travels to a host and reads and changes it there: files, programs, units, the line back."""
