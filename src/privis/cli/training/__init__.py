"""Commands that train networks: from folders of pictures to a file."""
