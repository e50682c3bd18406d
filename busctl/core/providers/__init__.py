"""Providers of language models: their profiles, questions, answers and conversations."""
