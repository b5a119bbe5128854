"""Features, choices of rows and what the operator has not said: from rows to the plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.catalog.export import firewall_rules
from egressd.errors import UsageError
from egressd.model.catalog import Catalog, Discovery, Feature
from egressd.model.endpoint import Cloud, CloudTerms, Endpoint, Need, Protocol, SampleKind, Samples
from egressd.model.plan import Plan, Unsampled
from egressd.model.settings import Override, Settings
from egressd.planning import calls_needed, make_plan

Make = Callable[..., Endpoint]

MACHINE = Settings(region="westeurope", profiles=("machine",))
BACKUP, DATABASE = Feature(name="backup", title="Backups"), Feature(name="database", title="A database")


def plan(catalog: Catalog, changed: Settings, *discoveries: Discovery) -> Plan:
    return make_plan(catalog, changed, label="egressd-probe-0badcafe", discoveries=discoveries)


def needs(made: Plan) -> dict[str, Need]:
    return {one.endpoint: one.need for one in made.targets}


def unsampled(made: Plan) -> dict[str, Unsampled]:
    return {one.endpoint: one for one in made.unsampled}


@pytest.fixture
def featured(catalog: Catalog, row: Make) -> Catalog:
    """Rows of `machine` that depend on two features, on words alone, and on nothing."""

    def conditional(name: str, pattern: str, **more: object) -> Endpoint:
        return row(name, pattern, profile="machine", need=Need.CONDITIONAL, condition="sometimes", **more)

    rows = (
        conditional("m-backup", "backup.example", feature="backup"),
        conditional(
            "m-backup-any", "*.backup.example", feature="backup", samples=Samples(discovered="relays")
        ),
        conditional("m-database", "{server}.database.example", feature="database"),
        conditional("m-words", "words.example"),
        row("m-arm", "management.example", profile="machine"),
    )
    return replace(catalog, endpoints=rows, features=(BACKUP, DATABASE))


def test_without_the_key_conditional_rows_stay_what_they_are(featured: Catalog) -> None:
    """Nobody said what is in use: everything is probed, and only required rows decide."""
    made = plan(featured, MACHINE)

    assert needs(made) == {
        "m-backup": Need.CONDITIONAL,
        "m-words": Need.CONDITIONAL,
        "m-arm": Need.REQUIRED,
    }
    assert all(one.feature is None for one in made.unsampled)


def test_a_feature_in_use_makes_its_rows_required_and_leaves_the_rest_out(featured: Catalog) -> None:
    """Rows that are conditional in words only stay so: no feature answers for them."""
    made = plan(featured, replace(MACHINE, features=("database",), values=(("server", "sql1"),)))

    assert needs(made) == {
        "m-database": Need.REQUIRED,
        "m-words": Need.CONDITIONAL,
        "m-arm": Need.REQUIRED,
    }
    assert {name: (one.feature, one.why) for name, one in unsampled(made).items()} == {
        "m-backup": ("backup", "feature backup is not in use"),
        "m-backup-any": ("backup", "feature backup is not in use"),
    }
    assert next(one for one in made.targets if one.endpoint == "m-database").condition is None


def test_no_feature_in_use(featured: Catalog) -> None:
    """`features: []` says that none is in use, which is not the same as not saying."""
    assert set(needs(plan(featured, replace(MACHINE, features=())))) == {"m-words", "m-arm"}


def test_what_is_left_out_lacks_nothing(featured: Catalog) -> None:
    """A value that a row out of use would need is not asked for; one in use is, and is required."""
    idle = unsampled(plan(featured, replace(MACHINE, features=())))["m-database"]
    used = unsampled(plan(featured, replace(MACHINE, features=("database",))))["m-database"]

    assert (idle.need, idle.lacks) == (Need.CONDITIONAL, ())
    assert (used.need, used.lacks) == (Need.REQUIRED, ("server",))


def test_discovery_is_not_asked_for_what_is_left_out(featured: Catalog) -> None:
    """A sweep calls what a probed row uses, and nothing else."""
    assert [one.name for one in calls_needed(featured, MACHINE)] == ["relays"]
    assert calls_needed(featured, replace(MACHINE, features=())) == ()


def test_no_rule_is_asked_for_what_is_left_out(featured: Catalog) -> None:
    """The rules are those of what is in use, and count as required."""
    rules = firewall_rules(featured, replace(MACHINE, features=("backup",)))

    assert {one.destination: one.need for one in rules} == {
        "backup.example": Need.REQUIRED,
        "*.backup.example": Need.REQUIRED,
        "words.example": Need.CONDITIONAL,
        "management.example": Need.REQUIRED,
    }


def test_an_override_has_the_last_word(featured: Catalog) -> None:
    """A row that the operator calls required is probed, whatever its feature."""
    wanted = Override(match="m-backup", need=Need.REQUIRED)
    spared = Override(match="m-backup", need=Need.OPTIONAL)

    assert (
        needs(plan(featured, replace(MACHINE, features=(), overrides=(wanted,))))["m-backup"] is Need.REQUIRED
    )
    in_use = replace(MACHINE, features=("backup",), overrides=(spared,))
    assert needs(plan(featured, in_use))["m-backup"] is Need.OPTIONAL


def test_a_feature_of_one_cloud(featured: Catalog, row: Make) -> None:
    """What a row depends on can differ by cloud."""
    terms = CloudTerms(cloud=Cloud.USGOV, need=Need.CONDITIONAL, condition="sometimes", feature="backup")
    both = row("m-both", "both.example", profile="machine", clouds=tuple(Cloud), by_cloud=(terms,))
    rows = replace(featured, endpoints=(both,))
    gov = replace(MACHINE, region="usgovvirginia", cloud=Cloud.USGOV)

    assert needs(plan(rows, replace(MACHINE, features=()))) == {"m-both": Need.REQUIRED}
    assert needs(plan(rows, replace(gov, features=()))) == {}
    assert needs(plan(rows, replace(gov, features=("backup",)))) == {"m-both": Need.REQUIRED}


@pytest.mark.parametrize(
    ("name", "hint"),
    [("bakcup", "did you mean backup?"), ("zzz", "`egressd catalog features` lists them")],
)
def test_an_unknown_feature_is_refused(featured: Catalog, name: str, hint: str) -> None:
    """A typing mistake must not leave rows out."""
    with pytest.raises(UsageError, match="cannot find the feature") as refused:
        plan(featured, replace(MACHINE, features=(name,)))
    assert hint in str(refused.value)


def test_a_feature_that_no_selected_profile_has_is_noted(featured: Catalog) -> None:
    """It is known, and changes nothing here."""
    made = plan(featured, replace(MACHINE, profiles=("bridge",), features=("backup",)))

    assert "no endpoint of the selected profiles depends on feature backup: it changes nothing" in made.notes
    assert not any(
        "depends on" in note for note in plan(featured, replace(MACHINE, features=("backup",))).notes
    )


def test_a_choice_is_one_profiles(catalog: Catalog, row: Make) -> None:
    """Rows of two profiles with the same name are two choices; a range of ports is part of one, unprobed."""
    rows = (
        row("b-one", "one.example", one_of="port"),
        row("b-two", "two.example", one_of="port"),
        row("b-range", "three.example", one_of="port", port=10124, last_port=10139, protocol=Protocol.TCP),
        row("m-one", "one.example", profile="machine", one_of="port"),
    )
    made = plan(replace(catalog, endpoints=rows), replace(MACHINE, profiles=("bridge", "machine")))

    assert {one.endpoint: one.one_of for one in made.targets} == {
        "b-one": "bridge/port",
        "b-two": "bridge/port",
        "m-one": "machine/port",
    }
    assert unsampled(made)["b-range"].one_of == "bridge/port"


@pytest.mark.parametrize(
    ("pattern", "more", "lacks"),
    [
        ("{region}.x.example", {}, ("region",)),
        ("{his}.x.example", {}, ("region",)),
        ("{server}.{region}.x.example", {}, ("server", "region")),
        ("*.x.example", {"samples": Samples(templated=("{region}.x.example",))}, ("region",)),
        ("*.x.example", {"samples": Samples(discovered="his-region")}, ("region",)),
        ("x.example", {"regions": ("westeurope",)}, ("region",)),
        ("*.x.example", {}, ("endpoints",)),
        ("*.x.example", {"last_port": 450}, ()),
        ("*.x.example", {"unprobed": "nothing tells how it answers"}, ()),
        ("x.example", {"protocol": Protocol.UDP}, ()),
    ],
)
def test_what_the_operator_could_give(
    catalog: Catalog, row: Make, pattern: str, more: dict[str, object], lacks: tuple[str, ...]
) -> None:
    """A row that waits for a region or a value says so; one that can't be probed at all does not."""
    one = row("b-row", pattern, **more)
    made = plan(replace(catalog, endpoints=(one,)), Settings(profiles=("bridge",)))

    assert unsampled(made)["b-row"].lacks == lacks


def test_a_host_of_the_operators_stands_for_a_wildcard(catalog: Catalog, row: Make) -> None:
    """At its port; one at another port, or of another name, does not."""
    one = replace(catalog, endpoints=(row("b-row", "*.x.example"),))
    own = replace(row("mine", "host.x.example"), profile="")
    for endpoint, lacks in (
        (own, ()),
        (replace(own, port=8443), ("endpoints",)),
        (replace(own, pattern="host.y.example"), ("endpoints",)),
    ):
        made = plan(one, Settings(profiles=("bridge",), endpoints=(endpoint,)))
        assert unsampled(made)["b-row"].lacks == lacks


def test_an_own_wildcard_without_samples_is_a_rule(catalog: Catalog, row: Make) -> None:
    """As the configuration says of it: it is not probed, and nothing is missing."""
    own = replace(row("mine", "*.corp.example"), profile="")
    made = plan(catalog, Settings(profiles=("bridge",), endpoints=(own,)))

    assert unsampled(made)["mine"].lacks == ()


def test_a_derived_name_that_a_document_shows_elsewhere(catalog: Catalog, row: Make) -> None:
    """A guess that discovery confirms is no guess; random labels borrow from what is sure."""
    samples = Samples(derived=("{region}.x.example", "guess.x.example"), discovered="his-region", random=True)
    one = replace(catalog, endpoints=(row("b-row", "*.x.example", samples=samples),))
    found = Discovery(name="his-region", hosts=("westeurope.x.example",))
    made = plan(one, replace(MACHINE, profiles=("bridge",)), found)

    assert [(target.host, target.sample, target.need) for target in made.targets[:2]] == [
        ("westeurope.x.example", SampleKind.DISCOVERED, Need.REQUIRED),
        ("guess.x.example", SampleKind.DERIVED, Need.OPTIONAL),
    ]
    assert [probe.siblings for probe in made.probes if probe.siblings] == [("westeurope.x.example",)]


def test_notes_on_a_private_link_scope() -> None:
    """Who can't use it and what can't be seen is said before anything is probed."""

    real = Settings(region="westeurope", private_link=True)
    made = plan(load_catalog(), real)
    said = "\n".join(made.notes)

    assert "the resource bridge does not support a private link scope" in said
    assert "SSH and Windows Admin Center from Azure do not work" in said
    assert "`resolvers` lacks" not in said
    assert "private_link:" not in "\n".join(plan(load_catalog(), replace(real, private_link=None)).notes)
