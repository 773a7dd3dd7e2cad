from realtime.core.model import AccountLabel
from realtime.store import Profile, Store

ALPHA, BRAVO = Profile(label=AccountLabel("alpha")), Profile(label=AccountLabel("bravo"))


def test_an_account_that_comes_back_repeats_no_version() -> None:
    """Else a reader who still holds an ETag from before would be told that nothing changed."""
    store = Store(boot="b00t")
    versions = [store.add(ALPHA, now=1.0).version, store.add(BRAVO, now=2.0).version]
    for _ in range(3):
        store.remove(ALPHA.label)
        versions.append(store.add(ALPHA, now=3.0).version)
    assert versions == sorted(set(versions))
