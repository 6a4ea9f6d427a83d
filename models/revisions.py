"""Which commit of a checkpoint's repository on the hub is fetched, so that films can be made again next year.

Only commits are here that public projects name, most of them several, in their own pins or in the paths of
their caches; the hub itself was not asked. Of a repository that is not here, the main branch is taken.
"""

from __future__ import annotations

from dataclasses import replace

from models.video_model import ModelCard

REVISIONS = {
    "Efficient-Large-Model/SANA-Video_2B_480p_diffusers": "db5f398b13ca086d09a50ce156c20527773841b1",
    "Lightricks/LTX-2": "47da56e2ad66ce4125a9922b4a8826bf407f9d0a",
    "Lightricks/LTX-Video-0.9.7-dev": "2101082f5eb5540770a2df43747feadb6f69b889",
    "Lightricks/LTX-Video-0.9.8-13B-distilled": "7c64400e1861cc0d7b98d570a1926d5408ec60cd",
    "THUDM/CogVideoX-2b": "1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01",
    "THUDM/CogVideoX-5b": "8fc5b281006c82b82d34fd2543d2f0ebb4e7e321",
    "THUDM/CogVideoX-5b-I2V": "a6f0f4858a8395e7429d82493864ce92bf73af11",
    "THUDM/CogVideoX1.5-5B": "fdc5267c90b5c06492985b966e43aae984e189e0",
    "THUDM/CogVideoX1.5-5B-I2V": "46c90528707aebbe69066390b4fe7e7d24c9c2a4",
    "Wan-AI/Wan2.1-FLF2V-14B-720P-diffusers": "17c30769b1e0b5dcaa1799b117bf20a9c31f59d7",
    "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers": "b184e23a8a16b20f108f727c902e769e873ffc73",
    "Wan-AI/Wan2.1-I2V-14B-720P-Diffusers": "eb849f76dfa246545b65774a9e25943ee69b3fa3",
    "Wan-AI/Wan2.1-T2V-1.3B-Diffusers": "0fad780a534b6463e45facd96134c9f345acfa5b",
    "Wan-AI/Wan2.1-T2V-14B-Diffusers": "38ec498cb3208fb688890f8cc7e94ede2cbd7f68",
    "Wan-AI/Wan2.1-VACE-1.3B-diffusers": "ec4d2cb062b548996b179d493fdd05340de702a1",
    "Wan-AI/Wan2.1-VACE-14B-diffusers": "db79b90c60bbb45ceec9e41b9d5a4df934538ac4",
    "Wan-AI/Wan2.2-I2V-A14B-Diffusers": "596658fd9ca6b7b71d5057529bbf319ecbc61d74",
    "Wan-AI/Wan2.2-T2V-A14B-Diffusers": "5be7df9619b54f4e2667b2755bc6a756675b5cd7",
    "Wan-AI/Wan2.2-TI2V-5B-Diffusers": "b8fff7315c768468a5333511427288870b2e9635",
    "hunyuanvideo-community/HunyuanVideo": "e8c2aaa66fe3742a32c11a6766aecbf07c56e773",
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v": "5a700ee883ff4c1b3d887ec4188755a7a5e2f698",
    "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v": "286be7ce72277246578a3e3cc2487e95ddae5bcf",
    "lllyasviel/FramePackI2V_HY": "86cef4396041b6002c957852daac4c91aaa47c79",
    "stabilityai/stable-video-diffusion-img2vid": "9cf024d5bfa8f56622af86c884f26a52f6676f2e",
    "stabilityai/stable-video-diffusion-img2vid-xt": "9e43909513c6714f1bc78bcb44d96e733cd242aa",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
}
"""Commit by hub id."""


def pinned(card: ModelCard) -> ModelCard:
    """The card with the commit of its repository, if one is known, or else the branch that it names."""
    return replace(card, revision=REVISIONS.get(card.source, card.revision))
