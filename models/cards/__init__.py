"""One module a family, each with `CARDS`, the checkpoints it can load. Importing them loads no torch.

What is known of a checkpoint comes from its authors' model card and from diffusers' own defaults. `memory_gb`
is an estimate for all models but the embedded one: two bytes a parameter of all networks, and room to run.
"""

NOT_OFFERED = {
    "ConsistI2V": "diffusers has no pipeline for its network; the authors' code is pinned to diffusers 0.21.",
    "Open-Sora-Plan 1.3 (image to video)": "diffusers has no pipeline for its network; of its relatives only "
    "Allegro (text alone) is there.",
    "Open-Sora 2.0": "diffusers has no pipeline for its network.",
    "Pyramid-Flow": "diffusers has no pipeline for its network.",
    "CausVid, Self-Forcing, Rolling-Forcing": "they generate causally with a cache of keys and values, which "
    "diffusers' Wan pipelines do not.",
    "Helios Mid and Distilled": "their pipeline goes through stages of rising resolution, so a preview would "
    "not be a clip of the chunk's size; Helios Base is offered.",
    "HunyuanVideo image to video, 33 channels": "its pipeline cuts off the first four frames, where a chunk "
    "joins the one before; the checkpoint that keeps them is offered.",
    "LTX-Video's pipeline for long videos of many prompts": "it slides over the whole video in one call "
    "and may return another number of frames than asked; the studio extends LTX-Video chunk by chunk.",
    "LinGen-4B": "its weights were not published; the embedded model is built after its paper.",
}
"""Models that people ask for and that cannot be offered, each with the reason."""
