"""Profiles and the rules that map usage to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Damaged, NothingFound, RingletError, UnknownName
from pipeline.profiles import Profile, Rule, Rules, absolute

WORK = Profile(name="work", agent="claude", provider="self")
HOME = "/home/ada/.claude"


def test_unmapped_usage_belongs_to_default() -> None:
    """Without a rule that matches, a call belongs to `default`."""
    assert Rules().profile_of("claude", HOME, "/w/app") == "default"


def test_a_source_that_knows_its_profile_wins_over_every_rule() -> None:
    """What capture or a profile's own home says is a fact, a rule is an opinion."""
    rules = Rules(profiles=(WORK,), rules=(Rule(profile="work"),))

    assert rules.profile_of("claude", HOME, None, "acme") == "acme"


def test_first_matching_rule_wins() -> None:
    """Of two rules that match, the one that stands first decides."""
    rules = Rules(profiles=(WORK, Profile(name="acme")), rules=(Rule(profile="acme", project="/w/acme"), Rule(profile="work", root=HOME)))

    assert rules.profile_of("claude", HOME, "/w/acme/api") == "acme"
    assert rules.profile_of("claude", HOME, "/w/other") == "work"


@pytest.mark.parametrize(
    ("pattern", "project", "matches"),
    [
        ("/w/acme", "/w/acme", True),
        ("/w/acme", "/w/acme/api", True),
        ("/w/acme", "/w/acme-old", False),
        ("/w/acme*", "/w/acme-old", True),
        ("/w/*/api", "/w/acme/api", True),
        ("/w/acme", None, False),
    ],
)
def test_project_rule_matches_the_folder_and_what_lies_below(pattern: str, project: str | None, matches: bool) -> None:
    """A path matches itself and all below it, never a neighbour with the same beginning; with wildcards it is a shell pattern."""
    assert Rule(profile="p", project=pattern).matches("claude", HOME, project) is matches


def test_rule_of_a_home_holds_for_that_home_alone() -> None:
    """A rule with a root does not reach a root whose path merely begins the same."""
    rule = Rule(profile="p", root="/home/ada/.claude")

    assert [rule.matches("claude", root, None) for root in (HOME, HOME + "/projects", HOME + "2", None)] == [True, True, False, False]


def test_new_rule_stands_before_less_specific_ones() -> None:
    """A rule for a project is put before a rule for a home, and that before a rule for an agent, whatever the order of adding."""
    rules = (
        Rules(profiles=(WORK,))
        .map(Rule(profile="work", agent="claude"))
        .map(Rule(profile="work", root=HOME))
        .map(Rule(profile="work", project="/w"))
    )

    assert [(rule.project, rule.root, rule.agent) for rule in rules.rules] == [
        ("/w", None, None),
        (None, HOME, None),
        (None, None, "claude"),
    ]


def test_mapping_again_replaces_the_rule() -> None:
    """One home has one profile: mapping it anew moves all its usage."""
    rules = Rules(profiles=(WORK, Profile(name="acme"))).map(Rule(profile="work", root=HOME)).map(Rule(profile="acme", root=HOME))

    assert [rule.profile for rule in rules.rules] == ["acme"]


def test_rename_reaches_the_rules() -> None:
    """After a rename the old name is nowhere."""
    rules = Rules(profiles=(WORK,), rules=(Rule(profile="work", root=HOME),)).rename("work", "day-job")

    assert (rules.names(), rules.profile_of("claude", HOME, None)) == (["default", "day-job"], "day-job")


def test_usage_of_a_deleted_profile_falls_to_the_next_rule() -> None:
    """Deleting a profile deletes its rules and no usage."""
    rules = Rules(profiles=(WORK, Profile(name="all")), rules=(Rule(profile="work", root=HOME), Rule(profile="all")))

    assert rules.delete("work").profile_of("claude", HOME, None) == "all"


def test_captured_calls_follow_a_renamed_profile() -> None:
    """A captured call bears the name that its profile was made by, and is the profile's under every later name."""
    once = Rules(profiles=(WORK,)).rename("work", "b")
    twice = once.rename("b", "c")
    back = twice.rename("c", "work")

    assert [rules.profile_of("codex", None, None, "work") for rules in (once, twice, back)] == ["b", "c", "work"]
    assert [rules.profiles[0].mark for rules in (once, twice, back)] == ["work", "work", "work"]
    assert back == Rules(profiles=(WORK,))


def test_a_new_profile_under_an_old_name_has_its_own_captured_calls() -> None:
    """What was captured for the renamed one stays there."""
    rules = Rules(profiles=(WORK,)).rename("work", "b").create(WORK)
    mark = rules.find("work").mark

    assert mark != "work"
    assert [rules.profile_of("codex", None, None, own) for own in ("work", mark)] == ["b", "work"]
    assert rules.rename("work", "c").create(WORK).find("work").mark not in ("work", mark)


def test_captured_calls_of_a_deleted_profile_follow_the_rules() -> None:
    """They fall to the next rule or to `default`, as logged ones do, and come back with a profile of that name."""
    rules = Rules(profiles=(WORK,)).delete("work")

    assert rules.profile_of("codex", None, None, "work") == "default"
    assert rules.create(WORK).profile_of("codex", None, None, "work") == "work"
    assert Rules(profiles=(WORK,)).rename("work", "b").delete("b").profile_of("codex", None, None, "work") == "default"


@pytest.mark.parametrize("name", ["", "a/b", "-x", " x", "x" * 65, "a\nb", "default"])
def test_unusable_names_are_refused(name: str) -> None:
    """A profile's name is short, printable, and can be typed as an argument; `default` exists already."""
    with pytest.raises(RingletError):
        Rules().create(Profile(name=name))


def test_unknown_profile_names_the_known_ones() -> None:
    """Whoever mistypes a profile reads which ones there are."""
    with pytest.raises(UnknownName, match="there are: default, work"):
        Rules(profiles=(WORK,)).find("wrok")


def test_default_keeps_its_name_and_stays() -> None:
    """`default` is where unmapped usage goes: it can be neither renamed nor deleted."""
    with pytest.raises(RingletError):
        Rules().rename("default", "x")
    with pytest.raises(RingletError):
        Rules().delete("default")


def test_missing_rule_number_is_named() -> None:
    """Removing a rule that is not there says how many there are."""
    with pytest.raises(NothingFound, match="there are 0"):
        Rules().unmap(1)


def test_provider_of_a_profile_bills_its_calls() -> None:
    """A profile with a provider of its own is billed by it; `self` and no profile leave what the log names."""
    rules = Rules(profiles=(WORK, Profile(name="personal", provider="minimax")))

    assert [rules.provider_of(name, "anthropic") for name in ("personal", "work", "default")] == ["minimax", "anthropic", "anthropic"]


def test_damaged_file_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A file that is not ours is an error with its path, not an empty set of rules."""
    path = tmp_path / "profiles.json"
    path.write_text("[]")

    with pytest.raises(Damaged, match=r"profiles\.json"):
        Rules.load(path)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([None, "claude"]), st.sampled_from([None, "/r"]), st.sampled_from([None, "/p"]))
    )
)
def test_rules_survive_being_written(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, str | None, str | None, str | None]]
) -> None:
    """Reading what was written gives the same profiles and rules."""
    rules = Rules(profiles=tuple(Profile(name=name) for name in "abc"))
    for name, agent, root, project in made:
        rules = rules.map(Rule(profile=name, agent=agent, root=root, project=project))
    rules = rules.rename("a", "d").delete("b")
    path = tmp_path_factory.mktemp("rules") / "profiles.json"
    path.write_bytes(rules.dump())

    assert Rules.load(path) == rules


def test_home_is_expanded() -> None:
    """`~` means the user's home, and a path is made absolute without a trailing slash."""
    assert absolute("~/.claude/", {"HOME": "/home/ada"}) == "/home/ada/.claude"


def test_what_to_type_about_a_taken_name_can_be_typed() -> None:
    """A name of two words stands quoted in the command."""
    rules = Rules().create(Profile(name="two words")).create(Profile(name="other"))
    with pytest.raises(RingletError) as created:
        rules.create(Profile(name="two words"))
    with pytest.raises(RingletError) as renamed:
        rules.rename("other", "two words")
    assert created.value.mend == renamed.value.mend == "ringlet profiles inspect 'two words' shows it"
