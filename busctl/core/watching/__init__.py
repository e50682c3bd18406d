"""Followers and watchers: what they keep, look at and say."""
