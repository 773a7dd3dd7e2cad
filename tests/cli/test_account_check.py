"""What `realtime check` finds only across several accounts."""

from realtime.cli.account_check import AccountCheckResult, CheckFinding, find_duplicates
from realtime.core.model import Account


def result(
    label: str, number: str | None, finding: CheckFinding | None = None
) -> AccountCheckResult:
    account = None if number is None else Account(id=f"id-{label}", account_number=number)
    return AccountCheckResult(label=label, account=account, finding=finding)


def test_a_second_label_of_one_account_is_a_finding() -> None:
    """Once, for the later one."""
    results = [result("alpha", "PA1"), result("bravo", "PA2"), result("charlie", "PA1")]
    find_duplicates(results)
    assert [each.finding and each.finding.fact for each in results] == [
        None,
        None,
        "PA1 is also the account of alpha",
    ]


def test_failed_accounts_are_not_compared() -> None:
    results = [result("alpha", "PA1", CheckFinding("refused")), result("bravo", None)]
    results.append(result("charlie", "PA1"))
    find_duplicates(results)
    assert results[2].finding is None
