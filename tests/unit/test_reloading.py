"""What becomes of the settings when others are read while the proxy runs."""

from __future__ import annotations

import pytest

from proxy.config import ConfigError, JobSettings, LogSettings, ServerSettings, Settings
from proxy.config.reloading import change
from proxy.reload import Configuration, Reloaded, Swap, reload

OLD = Settings()
NEW = Settings(
    ServerSettings(listen_port=7000, target="host=b"),
    JobSettings(store="other.sqlite", max_running=8),
    log=LogSettings(level="debug"),
)


def test_what_needs_a_restart_is_named_and_keeps_its_value() -> None:
    done = change(OLD, NEW)
    assert done.needs_restart == ("server.listen_port", "jobs.store")
    assert done.changed == ("server.target", "jobs.max_running", "log.level")
    kept = Settings(ServerSettings(target="host=b"), JobSettings(max_running=8), log=LogSettings(level="debug"))
    assert done.settings == kept
    assert change(done.settings, NEW).needs_restart == done.needs_restart


def test_nothing_changes_if_one_of_those_who_follow_cannot_use_it() -> None:
    swapped = []

    def takes(settings: Settings) -> Swap:
        return lambda: swapped.append(settings)

    def refuses(settings: Settings) -> Swap:
        raise ConfigError("no such file", "no such role")

    configuration = Configuration(OLD)
    configuration.follow(takes)
    assert reload(configuration, lambda: NEW).changed
    assert swapped == [configuration.settings] != [OLD]

    configuration = Configuration(OLD)
    configuration.follow(takes)
    configuration.follow(refuses)
    swapped.clear()
    assert reload(configuration, lambda: NEW) == Reloaded(problems=("no such file", "no such role"))
    assert (configuration.settings, swapped) == (OLD, [])


def test_those_who_follow_are_asked_although_no_setting_has_changed() -> None:
    """A certificate is renewed in the same file."""
    asked = []
    configuration = Configuration(OLD)
    configuration.follow(lambda settings: lambda: asked.append(settings))
    assert reload(configuration, lambda: OLD) == Reloaded()
    assert asked == [OLD]


def test_settings_that_cannot_be_read_are_said() -> None:
    def read() -> Settings:
        raise ConfigError("one", "two")

    configuration = Configuration(OLD)
    assert reload(configuration, read) == Reloaded(problems=("one", "two"))
    with pytest.raises(ConfigError, match="one\ntwo"):
        read()
