"""`commands.txt`: the real `bao` command line against both servers, one transcript."""

import pathlib

from shell_transcript import replay


def test_the_everyday_commands_of_bao_print_the_same_against_both_servers(vault_server, tmp_path):
    written, went = replay(pathlib.Path(__file__).with_name("commands.txt"), vault_server, tmp_path)
    assert went == written
