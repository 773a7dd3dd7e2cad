"""Records."""

from msgspec import structs

from realtime.core.model import Account, AccountLabel
from realtime.core.state import AccountState
from realtime.store.records import Profile, Record


def test_a_record_has_data_once_an_account_was_read() -> None:
    """Before that its lists are unknown, not empty."""
    record = Record(profile=Profile(label=AccountLabel("alpha")))
    assert not record.has_data
    state = AccountState(account=Account(id="1", account_number="PA0EXAMPLE01"))
    assert structs.replace(record, state=state).has_data
