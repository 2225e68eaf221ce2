"""Model families: one module each, with its settings and how a model is built from them."""
