"""What a failed test leaves: `build/failures/<test>/`, to understand and to repeat the failure."""
