"""Where the page listens."""

import pytest

from studio.errors import InputError
from studio.settings import Settings
from studio.ui.launch import check_host, launch


@pytest.mark.parametrize("host", ["203.0.113.7", "my laptop"])
def test_an_address_of_another_machine_is_told_at_once(host, tmp_path):
    with pytest.raises(InputError, match="no address of this machine"):
        launch(Settings(host=host, data_dir=tmp_path, warm=False))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_addresses_of_this_machine_are_taken(host):
    check_host(host)
