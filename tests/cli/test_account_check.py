"""What `realtime check` finds only when it looks at several accounts together."""

from realtime.cli.account_check import AccountCheckResult, CheckFinding, same_account_twice
from realtime.core.model import Account


def examined(
    label: str, number: str | None, finding: CheckFinding | None = None
) -> AccountCheckResult:
    account = None if number is None else Account(id=f"id-{label}", account_number=number)
    return AccountCheckResult(label=label, account=account, finding=finding)


def test_two_labels_on_one_account() -> None:
    """The later one is told, and told once."""
    found = [examined("alpha", "PA1"), examined("bravo", "PA2"), examined("charlie", "PA1")]
    same_account_twice(found)
    assert [each.finding and each.finding.fact for each in found] == [
        None,
        None,
        "PA1 is the account of alpha too",
    ]


def test_accounts_that_failed_are_nobodys_twins() -> None:
    found = [examined("alpha", "PA1", CheckFinding("refused")), examined("bravo", None)]
    found.append(examined("charlie", "PA1"))
    same_account_twice(found)
    assert found[2].finding is None
