"""The tiny random autoencoder that Wan and its relatives share: 8x in space, 4x in time, 16 channels."""

from diffusers import AutoencoderKLWan


def wan_vae() -> AutoencoderKLWan:
    return AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
