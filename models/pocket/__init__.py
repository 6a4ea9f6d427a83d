"""How the embedded model's weights are made: corpus, autoencoder, generator and CLIP, each by one command.

Run ``python -m models.pocket --help``. Nothing here is needed to use the model, only to make it.
"""
