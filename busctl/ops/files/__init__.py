"""Files that calls name: their copies at providers, their texts on the bus."""
