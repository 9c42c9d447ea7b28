"""Things in pictures: detectors that run a model under any executor, and folders of pictures they look at."""
