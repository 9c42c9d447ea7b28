"""What every command shares with a shell: options that are given once, help, and completion of words."""
