"""From a folder to ten million images: rates, overhead of engines, memory, and a simulation from what was measured."""
