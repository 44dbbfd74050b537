"""Read and judge certificates: no socket, no clock."""
