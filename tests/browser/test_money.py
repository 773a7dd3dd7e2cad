"""Money on the page: kinds apart, unknown is not zero, flows, signs, colours, ages."""

import re

import pytest
from msgspec import structs
from playwright.async_api import expect

from realtime.core.cash_flows import NetFlows
from realtime.core.model import AccountLabel
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, LIVE, NOW, fleet, position, state_of
from tests.browser.conftest import Open
from tests.browser.fleets import LARGE, LONGEST, account, add
from tests.browser.test_states import ROWS, served, there

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_real_money_and_paper_are_never_added_up(open_page: Open) -> None:
    """Two totals and two curves; the badge of an account stands before its name, whole."""
    store = Store(boot="b00t")
    add(store, "alpha", account("100.10"))
    add(store, "bravo", account("200.20"))
    add(store, LONGEST, account(LARGE), paper=False)
    async for url in served(store):
        page = await open_page(url, width=1024)
        await there(page)
        totals = page.locator(".headline")
        await expect(totals).to_have_count(2)
        await expect(totals.nth(0)).to_contain_text("Real money · 1 account$98,765,392,200.55")
        await expect(totals.nth(1)).to_contain_text("Paper · 2 accounts$300.30")
        for name, cash in (("Paper", "300.30"), ("Real money", "98.77 B")):
            await page.get_by_role("button", name=name).click()
            await expect(page.locator(".stats .value").first).to_have_text(cash)
        await expect(page.locator(".stats .value").first).to_have_attribute(
            "title", "98,765,392,200.55"
        )
        badge = page.locator(f"{ROWS} th .badge", has_text="REAL MONEY")
        link = page.locator(f"{ROWS} th a[title='{LONGEST}']")
        one, other = await badge.bounding_box(), await link.bounding_box()
        assert one is not None
        assert other is not None
        assert one["x"] + one["width"] <= other["x"]
        assert await badge.evaluate("node => node.scrollWidth <= node.clientWidth")
        await expect(link).to_have_text(re.compile("^mom.*….*2026$"))


async def test_without_events_everything_is_unknown(open_page: Open) -> None:
    """The event stream is blocked: no zero and no empty list, but a dash with a reason."""
    async for url in served(fleet()):
        page = await open_page("about:blank")
        await page.route("**/realtime/events?*", lambda route: route.abort())
        for view, numbers in (("", 6), ("#/account/alpha", 0)):
            await page.goto(f"{url}/{view}")
            await expect(page.locator("html")).to_have_attribute("data-connection", "disconnected")
            if not numbers:
                continue
            values = page.locator(".stat .value")
            await expect(values).to_have_count(numbers)
            await expect(values).to_have_text(["–"] * numbers)
            for index in range(numbers):
                reason = await values.nth(index).get_attribute("title")
                assert reason is not None
                assert "received" in reason
            await expect(page.locator(".fill-box")).to_contain_text("Not known")
            await expect(page.locator("main")).not_to_contain_text("No fills")
            await expect(page.locator("table.fleet")).to_be_hidden()


async def test_a_disabled_account_says_that_it_is(open_page: Open) -> None:
    async for url in served(fleet()):
        page = await open_page(f"{url}/#/account/echo")
        await expect(page.locator(".account-body")).to_contain_text("Disabled in accounts.toml")
        await expect(page.locator(".account-body")).not_to_contain_text("Not known yet")


async def test_the_age_of_a_total_is_that_of_its_oldest_part(open_page: Open) -> None:
    store = Store(boot="b00t")
    for label, age_s in (("alpha", 300), ("bravo", 1)):
        name = add(store, label, account("100"))
        store.record_confirmation(name, now=NOW - age_s)
    async for url in served(store):
        page = await open_page(url)
        await expect(page.locator(".stat.large .note")).to_contain_text(
            "oldest part confirmed 5 min ago"
        )


async def test_a_part_that_was_never_confirmed_has_no_age(open_page: Open) -> None:
    store = Store(boot="b00t")
    store.record_confirmation(add(store, "alpha", account("100")), now=NOW)
    add(store, "bravo", account("100"))
    async for url in served(store):
        page = await open_page(url)
        await there(page)
        await expect(page.locator(".stat.large .note")).not_to_contain_text("confirmed")


async def test_unknown_flows_are_named(open_page: Open) -> None:
    store = Store(boot="b00t")
    add(store, "alpha", account("1000100", "100"))
    async for url in served(store):
        page = await open_page(url)
        await expect(page.locator(".stat.large .note")).to_contain_text("flows unknown")


async def test_a_deposit_is_no_gain(open_page: Open) -> None:
    """Flows are taken out of today's change and shown, in totals, table and account."""
    store = Store(boot="b00t")
    for label in ("alpha", "bravo"):
        name = AccountLabel(label)
        profile = Profile(label=name, initial_balance="1000", tier="premium")
        store.add(profile, now=NOW - 100)
        state = structs.replace(state_of(), account=account("1510.25", "1000"))
        store.update(name, now=NOW - 10, link=LIVE, state=state)
        flows = NetFlows(
            account_id=ACCOUNT.id, initial_balance="1000", net="500", today="500", read_at=NOW
        )
        store.set_net_flows(name, flows, now=NOW)
    async for url in served(store):
        page = await open_page(url)
        await there(page)
        total = page.locator(".stat.large")
        await expect(total.locator(".beside")).to_have_text("+20.50  +1.03 %  today")
        await expect(total.locator(".note")).to_contain_text("flows +1,000.00")
        await expect(total.locator(".note")).not_to_contain_text("unknown")
        row = page.locator(ROWS, has_text="alpha")
        await expect(row.locator("td.day_pl")).to_have_text("+10.25")
        await row.get_by_role("link").click()
        await expect(total.locator(".beside")).to_have_text("+10.25  +1.03 %  today")
        await expect(total.locator(".note")).to_contain_text("flows +500.00")
        await expect(page.locator(".stats .value").first).to_have_text("+10.25")


async def test_green_and_red_are_for_money_won_and_lost(open_page: Open) -> None:
    """A loss of a tenth of a cent is 0.00 in ink; buy and sell and synced links have no colour."""
    store = Store(boot="b00t")
    add(store, "alpha", account("99.999", "100"))
    add(store, "bravo", account("150", "300.20"))
    async for url in served(store):
        page = await open_page(url)
        await there(page)
        cell = page.locator(ROWS, has_text="alpha").locator("td.day_pl")
        await expect(cell).to_have_text("0.00")
        assert await cell.get_attribute("data-tone") is None
        loss = page.locator(ROWS, has_text="bravo").locator("td.day_pl")
        await expect(loss).to_have_text("−150.20")
        colours = await page.evaluate(
            """() => {
                const style = getComputedStyle(document.documentElement);
                const probe = document.createElement("i");
                document.body.append(probe);
                const money = ["--gain", "--loss"].map(name => {
                    probe.style.color = style.getPropertyValue(name);
                    return getComputedStyle(probe).color;
                });
                probe.remove();
                return [...document.querySelectorAll(".lamp, .side, .pill, .badge, .state, a")]
                    .filter(node => [getComputedStyle(node).color,
                        getComputedStyle(node).backgroundColor].some(c => money.includes(c)))
                    .map(node => node.outerHTML.slice(0, 80));
            }"""
        )
        assert colours == []


async def test_one_of_many_changes_does_not_light_the_page(open_page: Open) -> None:
    """More than 12 changes in a second: nothing lights."""
    store = Store(boot="b00t")
    labels = [add(store, f"account_{number:02}", account("100")) for number in range(30)]
    async for url in served(store):
        page = await open_page(url)
        await there(page)
        await page.evaluate(
            """() => {
                window.flashes = {};
                const animate = Element.prototype.animate;
                Element.prototype.animate = function (...all) {
                    const second = Math.floor(performance.now() / 1000);
                    window.flashes[second] = (window.flashes[second] ?? 0) + 1;
                    return animate.apply(this, all);
                };
            }"""
        )
        for label in labels:
            money = account("200")
            state = structs.replace(state_of(), account=money)
            store.update(label, now=NOW, state=state)
        await expect(page.locator(f"{ROWS} td.equity").first).to_have_text("200.00")
        assert await page.evaluate("Math.max(0, ...Object.values(window.flashes))") <= 12


async def test_a_negative_position_has_a_minus_sign(open_page: Open) -> None:
    """The true minus, in every number; never a hyphen."""
    store = Store(boot="b00t")
    label = AccountLabel("alpha")
    add(store, label, account("-150.20", short_market_value="-2000.5"))
    state = structs.replace(
        state_of(positions=[position("TSLA", qty="-5", market_value="-2000.5")]),
        account=account("-150.20", short_market_value="-2000.5"),
    )
    store.update(label, now=NOW, state=state, link=LIVE)
    async for url in served(store):
        page = await open_page(f"{url}/#/account/alpha")
        await expect(page.locator(".stat.large .value")).to_have_text("−$150.20")
        await expect(page.locator("td.qty")).to_have_text("−5")
        text = await page.locator("main").inner_text()
        assert "-5" not in text
        assert "$−" not in text
