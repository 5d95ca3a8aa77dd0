#include "storage/audit.hpp"

#include "storage/audit_document.hpp"
#include "storage/cut.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/trim.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <set>
#include <stop_token>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

constexpr timestamp far_ahead{std::numeric_limits<std::int64_t>::max()};
const auto one_organization = derive_uuid({"audit", "one"});
const auto other_organization = derive_uuid({"audit", "other"});

void write_all(journal_fixture& journal) {
    for (std::uint32_t shard = 0; shard < journal.store->who().shards; ++shard) {
        while (true) {
            const auto written = write_audit_lines(*journal.store, shard, 3); // more than one step
            BOOST_REQUIRE_MESSAGE(written.has_value(), (written ? "" : written.error().detail));
            if (*written == 0) {
                break;
            }
        }
    }
}

std::vector<audit_line> all_of(const journal_fixture& journal, audit_query query) {
    std::vector<audit_line> out;
    while (true) {
        const auto page = read_audit(*journal.store, query);
        BOOST_REQUIRE_MESSAGE(page.has_value(), (page ? "" : page.error().detail));
        out.insert(out.end(), page->lines.begin(), page->lines.end());
        if (!page->next_cursor) {
            return out;
        }
        query.cursor = *page->next_cursor;
    }
}

audit_verification verify(const journal_fixture& journal, const std::vector<audit_head>& known = {}) {
    return verify_audit(*journal.store, std::nullopt, known, [](std::uint64_t) {});
}

std::string key_in_tables(const audit_line& l) { return keys::audit(l.shard, l.organization, l.time, l.seq); }

/// A journal with lines of two organizations in every shard.
struct audited_journal {
    temporary_directory directory;
    journal_fixture journal{directory.path};
    std::vector<entity_address> entities;

    audited_journal() {
        for (int round = 0; round < 3; ++round) {
            for (std::uint32_t shard = 0; shard < 4; ++shard) {
                for (const auto& organization : {one_organization, other_organization}) {
                    if (round == 0) {
                        entities.push_back(journal.address_in(shard, organization));
                    }
                    journal.write(entities[shard * 2 + (organization == one_organization ? 0 : 1)], 2);
                }
            }
        }
        write_all(journal);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(audit)

BOOST_AUTO_TEST_CASE(every_record_has_one_line_in_the_log_of_its_organization) {
    audited_journal a;
    const auto lines = all_of(a.journal, {.organization = one_organization, .limit = 5});
    BOOST_TEST(lines.size() == 24u); // 4 shards, 3 commands of 2 events
    std::set<std::pair<std::uint32_t, std::uint64_t>> places;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        places.emplace(lines[i].shard, lines[i].seq);
        BOOST_TEST((lines[i].entity.organization == one_organization));
        BOOST_TEST(lines[i].principal == "test");
        BOOST_TEST((i == 0 || lines[i].time <= lines[i - 1].time));
    }
    BOOST_TEST(places.size() == lines.size());
    auto forwards = all_of(a.journal, {.organization = one_organization, .descending = false, .limit = 7});
    BOOST_REQUIRE(forwards.size() == lines.size());
    BOOST_TEST((forwards.front().seq == lines.back().seq));
    std::stop_source stopped;
    stopped.request_stop();
    BOOST_TEST(!verify_audit(
                    *a.journal.store, std::nullopt, {}, [](std::uint64_t) {}, stopped.get_token())
                    .complete);
    const auto found = verify(a.journal);
    BOOST_TEST(found.complete);
    BOOST_TEST(found.bad_count == 0u, (found.bad.empty() ? "" : found.bad.front()));
    BOOST_TEST(found.lines == 48u);
    BOOST_TEST(found.compared == 48u);
    BOOST_TEST(found.chains == 8u);
    BOOST_TEST(found.pending == 0u);
}

BOOST_AUTO_TEST_CASE(a_record_without_a_line_yet_is_pending_and_no_fault) {
    audited_journal a;
    a.journal.write(a.entities[0], 1);
    const auto found = verify(a.journal);
    BOOST_TEST(found.bad_count == 0u);
    BOOST_TEST(found.pending == 1u);
}

BOOST_AUTO_TEST_CASE(time_bounds_are_kept_in_both_directions) {
    audited_journal a;
    const auto lines = all_of(a.journal, {.organization = one_organization, .descending = false});
    const auto from = lines[5].time;
    const auto until = lines[15].time;
    std::size_t wanted = 0;
    for (const auto& l : lines) {
        wanted += l.time >= from && l.time < until ? 1 : 0;
    }
    BOOST_TEST(wanted > 0u);
    for (const bool descending : {true, false}) {
        audit_query query{
            .organization = one_organization, .from = from, .until = until, .descending = descending, .limit = 3};
        BOOST_TEST(all_of(a.journal, query).size() == wanted);
    }
    BOOST_TEST(read_audit(*a.journal.store, {.organization = one_organization, .cursor = "rubbish"}).has_error());
}

BOOST_AUTO_TEST_CASE(no_page_loses_lines_of_the_same_moment) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    for (int round = 0; round < 3; ++round) {
        for (std::uint32_t shard = 0; shard < 4; ++shard) {
            auto change = journal.prepare(journal.address_in(shard, one_organization), 2);
            for (auto& r : change.records) {
                r.time = {5000};
            }
            BOOST_REQUIRE(journal.commit(std::move(change)).has_value());
        }
    }
    write_all(journal);
    for (const bool descending : {true, false}) {
        for (const std::size_t limit : {1, 2, 5}) {
            const auto lines =
                all_of(journal, {.organization = one_organization, .descending = descending, .limit = limit});
            std::set<std::pair<std::uint32_t, std::uint64_t>> places;
            for (const auto& l : lines) {
                places.emplace(l.shard, l.seq);
            }
            BOOST_TEST(lines.size() == 24u);
            BOOST_TEST(places.size() == 24u);
        }
    }
    const timestamp long_ago{-62'135'596'800'000}; // Go's zero time
    BOOST_TEST(all_of(journal, {.organization = one_organization, .from = long_ago, .descending = false}).size() ==
               24u);
    BOOST_TEST(all_of(journal, {.organization = one_organization, .until = long_ago}).empty());
}

BOOST_AUTO_TEST_CASE(who_acts_in_an_organization_is_in_its_log_whatever_it_changed) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    auto change = journal.prepare(journal.address_in(1, system_organization));
    change.records[0].client = {"192.0.2.1", "curl", one_organization};
    BOOST_REQUIRE(journal.commit(std::move(change)).has_value());
    auto foreign = journal.prepare(journal.address_in(1, other_organization));
    foreign.records[0].client = {"192.0.2.1", "curl", one_organization};
    BOOST_REQUIRE(journal.commit(std::move(foreign)).has_value());
    write_all(journal);
    const auto lines = all_of(journal, {.organization = one_organization});
    BOOST_REQUIRE(lines.size() == 1u);
    BOOST_TEST((lines[0].entity.organization == system_organization));
    BOOST_TEST(lines[0].client.address == "192.0.2.1");
    BOOST_TEST(all_of(journal, {.organization = other_organization}).size() == 1u); // that is whose entity it is
    BOOST_TEST(all_of(journal, {.organization = system_organization}).empty());
}

BOOST_AUTO_TEST_CASE(a_line_that_is_changed_or_taken_out_shows) {
    audited_journal a;
    auto& db = a.journal.store->db();
    const auto lines = all_of(a.journal, {.organization = one_organization, .descending = false});
    const auto original = lines[4];
    const auto key = key_in_tables(original);
    auto changed = original;
    changed.principal = "somebody else";
    BOOST_REQUIRE(db.db->Put({}, db.derived, key, encode_audit_line(changed)).ok());
    BOOST_TEST(verify(a.journal).bad_count == 1u);
    BOOST_TEST(verify(a.journal).bad.front().find(to_string(one_organization)) != std::string::npos);
    BOOST_REQUIRE(db.db->Delete({}, db.derived, key).ok());
    BOOST_TEST(verify(a.journal).bad_count > 0u);
    BOOST_REQUIRE(db.db->Put({}, db.derived, key, encode_audit_line(original)).ok());
    BOOST_TEST(verify(a.journal).bad_count == 0u);
}

BOOST_AUTO_TEST_CASE(an_end_that_is_cut_off_shows_against_an_anchor_and_against_the_log) {
    audited_journal a;
    auto& db = a.journal.store->db();
    const auto anchor = read_audit_heads(*a.journal.store, one_organization);
    BOOST_REQUIRE(anchor.has_value());
    BOOST_TEST(anchor->size() == 4u);
    BOOST_TEST(verify(a.journal, *anchor).bad_count == 0u);
    auto forged = *anchor;
    forged[0].chain[0] ^= 1;
    BOOST_TEST(verify(a.journal, forged).bad_count == 1u);
    BOOST_TEST(verify(a.journal, *anchor).anchored == 4u);
    // An anchor of another log is no proof of this one.
    const auto other = verify_audit(*a.journal.store, other_organization, *anchor, [](std::uint64_t) {});
    BOOST_TEST(other.bad_count == 4u);
    auto beyond = *anchor;
    beyond[0].shard = 999;
    BOOST_TEST(verify(a.journal, beyond).bad_count == 1u);
    const auto lines = all_of(a.journal, {.organization = one_organization});
    BOOST_REQUIRE(db.db->Delete({}, db.derived, key_in_tables(lines[0])).ok());
    BOOST_TEST(verify(a.journal).bad_count == 1u); // the record in the log has no line
    BOOST_TEST(verify(a.journal, *anchor).bad_count == 2u);
}

BOOST_AUTO_TEST_CASE(a_log_is_not_trimmed_before_its_lines_are_written) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    journal.write(journal.address_in(2), 3);
    BOOST_TEST(find_trim(*journal.store, 2, far_ahead, 1000)->to.at.seq == 0u);
    write_all(journal);
    const auto point = find_trim(*journal.store, 2, far_ahead, 1000);
    BOOST_REQUIRE(point->to.at.seq > 0u);
    BOOST_REQUIRE(journal.committer->trim(2, point->to).has_value());
    BOOST_TEST(all_of(journal, {.organization = system_organization}).size() == 3u);
    BOOST_TEST(verify(journal).bad_count == 0u);
    journal.write(journal.address_in(2), 1);
    write_all(journal);
    BOOST_TEST(all_of(journal, {.organization = system_organization}).size() == 4u);
    BOOST_TEST(verify(journal).bad_count == 0u);
}

BOOST_AUTO_TEST_CASE(a_journal_that_goes_back_takes_its_lines_along) {
    temporary_directory directory;
    auto journal = std::make_unique<journal_fixture>(directory.path);
    const auto a = journal->address_in(1);
    const auto kept = journal->write(a, 2);
    journal->write(a, 2);
    write_all(*journal);
    journal->committer.reset();
    BOOST_REQUIRE(cut_journal(*journal->store, kept.back().time, [](std::uint64_t) {}).has_value());
    journal.reset();
    journal = std::make_unique<journal_fixture>(directory.path);
    BOOST_TEST(all_of(*journal, {.organization = system_organization}).size() == 2u);
    BOOST_TEST(verify(*journal).bad_count == 0u);
    journal->write(a, 1);
    write_all(*journal);
    BOOST_TEST(all_of(*journal, {.organization = system_organization}).size() == 3u);
    BOOST_TEST(verify(*journal).bad_count == 0u);
}

BOOST_AUTO_TEST_CASE(who_passes_lines_on_gets_each_once_in_the_order_of_the_log) {
    audited_journal a;
    audit_mark at;
    std::uint64_t last = 0;
    std::size_t count = 0;
    while (true) {
        const auto lines = read_audit_after(*a.journal.store, 3, at, 5);
        BOOST_REQUIRE(lines.has_value());
        if (lines->empty()) {
            break;
        }
        for (const auto& l : *lines) {
            BOOST_TEST(l.seq > last);
            last = l.seq;
            ++count;
        }
        at = {lines->back().seq, lines->back().time};
    }
    BOOST_TEST(count == 12u);
}

BOOST_AUTO_TEST_CASE(details_are_those_of_the_record) {
    temporary_directory directory;
    journal_fixture journal(directory.path);
    BOOST_REQUIRE(journal.commit(journal.prepare(journal.address_in(1), 1, "c", R"({"a":1})")).has_value());
    write_all(journal);
    const auto lines = all_of(journal, {.organization = system_organization});
    BOOST_REQUIRE(lines.size() == 1u);
    BOOST_TEST(*read_audit_details(*journal.store, lines[0]).value() == R"({"a":1})");
    auto gone = lines[0];
    gone.entity_seq = 9;
    BOOST_TEST(!read_audit_details(*journal.store, gone).value().has_value());
}

BOOST_AUTO_TEST_CASE(an_anchor_is_read_as_it_was_written_and_nothing_else) {
    audit_head head{one_organization, 3, 7, {}};
    head.chain.fill(0xab);
    const auto document = to_document(head);
    BOOST_TEST(document.chain.size() == 64u);
    const auto read = read_anchor({document});
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST((read->front().chain == head.chain && read->front().organization == head.organization));
    for (const auto* bad : {"", "ab", "zz"}) {
        auto wrong = document;
        wrong.chain = bad;
        const auto refused = read_anchor({document, wrong});
        BOOST_REQUIRE(refused.has_error());
        BOOST_TEST(refused.error().errors.front().pointer == "/chains/1/chain");
    }
}

BOOST_AUTO_TEST_SUITE_END()
