"""Chat tools: one question to a language model, its answer streamed, whoever the provider is."""

from busctl.ops.chat.host import ChatTools

__all__ = ["ChatTools"]
