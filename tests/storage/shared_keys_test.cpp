// Keys that a store may not make by itself: what is agreed on is taken, and who writes does not wait.

#include "schemas/base/durable_file.hpp"
#include "storage/erase.hpp"
#include "tests/storage/sealed_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

using key_files = std::vector<std::pair<std::string, std::string>>;

/// A store of keys in a folder of its own.
struct one_store {
    explicit one_store(std::string master = "first", std::string other = {}) {
        open(std::move(master), std::move(other));
    }
    void open(std::string master = "first", std::string other = {}) {
        keys.reset();
        keys = std::move(open_keys(directory.path / "keys", std::move(master), std::move(other)).value());
    }
    expected<void> take(const agreed_key& k) { return keys->take(std::span(&k, 1)); }
    /// As a node that has agreed with the others does.
    agreed_key draw(const uuid& subject) const {
        const auto number = keys->count() + 1;
        return {number, subject, keys->draw(subject, number), {}};
    }
    agreed_key add(const uuid& subject) {
        auto k = draw(subject);
        BOOST_REQUIRE(take(k).has_value());
        return k;
    }
    [[nodiscard]] key_files files() const { return keys->files().value(); }

    temporary_directory directory;
    std::unique_ptr<key_store> keys;
};

bool same(const payload_key& a, const payload_key& b) {
    return a.number == b.number && a.subject == b.subject && a.sealing == b.sealing && a.hiding == b.hiding;
}

agreed_key destroyed(agreed_key k, timestamp when) {
    k.wrapped.clear();
    k.destroyed = when;
    return k;
}

/// All nodes agree at once, unless it is told not to.
struct quick_agreement final : key_agreement {
    explicit quick_agreement(key_store& of) : keys(of) { keys.agree_with(this); }
    ~quick_agreement() { keys.agree_with(nullptr); }

    expected<void> issue(const uuid& subject) override {
        issued.push_back(subject);
        if (refusal) {
            return *refusal;
        }
        const auto number = keys.count() + 1;
        const agreed_key k{number, subject, keys.draw(subject, number), {}};
        return keys.take(std::span(&k, 1));
    }
    expected<void> destroy(const uuid& subject, timestamp now) override {
        ++destructions;
        const agreed_key k{keys.existing(subject).value()->number, subject, {}, now};
        return keys.take(std::span(&k, 1));
    }
    void await(std::uint32_t number) override {
        awaited.push_back(number);
        if (coming) {
            BOOST_TEST(keys.take(std::span(&*coming, 1)).has_value());
        }
    }

    key_store& keys;
    int destructions = 0;
    std::vector<uuid> issued;
    std::vector<std::uint32_t> awaited;
    std::optional<problem> refusal;
    std::optional<agreed_key> coming;
};

std::vector<uuid> sorted(std::vector<uuid> all) {
    std::ranges::sort(all);
    return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(agreed_keys)

BOOST_AUTO_TEST_CASE(what_was_agreed_on_is_the_same_key_in_every_directory_and_after_a_restart) {
    one_store a;
    one_store b;
    const auto subject = make_uuid();
    const auto k = a.add(subject);
    BOOST_REQUIRE(b.take(k).has_value());
    BOOST_TEST((a.files() == b.files()));
    const auto before = b.files();
    BOOST_TEST(b.take(k).has_value()); // once more
    BOOST_TEST((b.files() == before));
    BOOST_TEST(b.keys->count() == 1u);
    b.open();
    BOOST_TEST(same(*a.keys->of(subject).value(), *b.keys->numbered(1).value()));
}

BOOST_AUTO_TEST_CASE(many_are_taken_at_once_over_several_files) {
    one_store a;
    for (int i = 0; i < 10; ++i) {
        a.add(make_uuid());
    }
    std::vector<agreed_key> more;
    for (std::uint32_t number = 11; number <= 600; ++number) {
        const auto subject = make_uuid();
        more.push_back({number, subject, a.keys->draw(subject, number), {}});
    }
    more[300] = destroyed(more[300], {7});
    BOOST_REQUIRE(a.keys->take(more).has_value());
    BOOST_TEST(a.files().size() == 3u);
    for (const bool again : {false, true}) {
        if (again) {
            a.open();
        }
        BOOST_TEST(a.keys->count() == 600u);
        BOOST_TEST(a.keys->erased_count() == 1u);
        BOOST_TEST((a.keys->numbered(more.back().number).value()->subject == more.back().subject));
        BOOST_TEST((a.keys->existing(more[300].subject).error().code == code::erased));
    }
    BOOST_TEST((a.keys->of(make_uuid()).value()->number == 601u));
}

BOOST_AUTO_TEST_CASE(keys_of_another_cluster_are_refused_and_nothing_of_them_is_kept) {
    one_store a;
    const auto subject = make_uuid();
    const auto other = make_uuid();
    const auto k = a.add(subject);
    const auto gone = a.add(other);
    BOOST_REQUIRE(a.take(destroyed(gone, {5})).has_value());
    const agreed_key good{3, make_uuid(), a.keys->draw(make_uuid(), 3), {}};
    const auto before = a.files();
    const auto twice = make_uuid();
    const agreed_key third{3, twice, a.keys->draw(twice, 3), {}};
    struct {
        std::string what;
        std::vector<agreed_key> keys;
        std::vector<std::string> says;
    } const cases[] = {
        {"another subject", {third, {1, other, a.keys->draw(other, 1), {}}}, {to_string(subject), to_string(other)}},
        {"another key", {{1, subject, a.keys->draw(subject, 1), {}}}, {"key 1", to_string(subject)}},
        {"destroyed here only", {gone}, {"key 2", "destroyed here"}},
        {"a hole", {{4, twice, a.keys->draw(twice, 4), {}}}, {"key 4", "missing"}},
        {"a number of nobody", {{0, twice, a.keys->draw(twice, 0), {}}}, {"key 0"}},
        {"a second number", {{3, subject, a.keys->draw(subject, 3), {}}}, {"key 3", to_string(subject)}},
        {"two numbers", {third, {4, twice, a.keys->draw(twice, 4), {}}}, {"key 4", to_string(twice)}},
    };
    for (const auto& one : cases) {
        BOOST_TEST_CONTEXT(one.what) {
            const auto taken = a.keys->take(one.keys);
            BOOST_REQUIRE(taken.has_error());
            BOOST_TEST((taken.error().code == code::conflict));
            for (const auto& text : one.says) {
                BOOST_TEST(taken.error().detail.find(text) != std::string::npos, taken.error().detail);
            }
            BOOST_TEST((a.files() == before));
            BOOST_TEST(a.keys->count() == 2u);
        }
    }
    BOOST_TEST(a.take(k).has_value());
}

BOOST_AUTO_TEST_CASE(a_destruction_that_is_taken_leaves_no_key_and_owes_the_removal_of_rows) {
    for (const bool known : {true, false}) {
        one_store a;
        one_store b;
        const auto subject = make_uuid();
        const auto k = a.add(subject);
        if (known) {
            BOOST_REQUIRE(b.take(k).has_value());
        }
        BOOST_REQUIRE(b.take(destroyed(k, {5})).has_value());
        // Rows of it may come with what the others have, too, where the key itself never was.
        BOOST_TEST(std::filesystem::exists(b.directory.path / "keys" / "removal-owed"));
        BOOST_TEST(b.files().front().second.find(k.wrapped) == std::string::npos);
        for (const bool again : {false, true}) {
            if (again) {
                b.open();
            }
            BOOST_TEST((b.keys->of(subject).error().code == code::erased));
            BOOST_TEST(b.keys->erased_at(subject)->ms == 5);
            BOOST_TEST(b.keys->erased_count() == 1u);
        }
        const auto before = b.files();
        BOOST_TEST(b.take(destroyed(k, {6})).has_value());
        BOOST_TEST((b.files() == before));
    }
}

BOOST_AUTO_TEST_CASE(a_key_of_another_master_key_is_refused_even_when_it_could_be_opened) {
    one_store theirs("second");
    const auto k = theirs.add(make_uuid());
    for (const auto* other : {"", "second"}) {
        one_store mine("first", other);
        const auto taken = mine.take(k);
        BOOST_REQUIRE(taken.has_error());
        BOOST_TEST((taken.error().code == code::secrets_locked));
        BOOST_TEST(mine.keys->is_empty());
    }
}

BOOST_AUTO_TEST_CASE(an_older_wrapping_of_the_same_key_here_is_no_difference) {
    one_store a("second");
    const auto subject = make_uuid();
    const auto old = a.add(subject);
    a.open("first", "second");
    const auto bytes = fake_wrapping("second").unwrap(subject, 1, old.wrapped);
    const agreed_key renewed{1, subject, fake_wrapping("first").wrap(subject, 1, bytes->text()), {}};
    BOOST_TEST(a.take(renewed).has_value());
}

BOOST_AUTO_TEST_CASE(a_store_that_agrees_makes_and_destroys_nothing_by_itself) {
    one_store a;
    quick_agreement others(*a.keys);
    const auto subject = make_uuid();
    BOOST_TEST((a.keys->at_hand(subject).error().code == code::conflict));
    others.refusal = problem{code::unavailable, "nobody is there"};
    BOOST_TEST((a.keys->of(subject).error().code == code::unavailable));
    BOOST_TEST(a.keys->is_empty());
    others.refusal.reset();
    BOOST_TEST(a.keys->of(subject).value()->number == 1u);
    BOOST_TEST(a.keys->at_hand(subject).value()->number == 1u);
    BOOST_TEST(a.keys->of(subject).has_value());
    BOOST_TEST(others.issued.size() == 2u); // what is known costs nothing
    BOOST_REQUIRE(a.keys->destroy(subject, {5}).has_value());
    BOOST_TEST((a.keys->of(subject).error().code == code::erased));
    BOOST_TEST((a.keys->at_hand(subject).error().code == code::erased));
    BOOST_TEST(a.keys->destroy(subject, {6}).has_value()); // is not asked for again
    BOOST_TEST(a.keys->erased_at(subject)->ms == 5);
    BOOST_TEST(others.destructions == 1);
}

BOOST_AUTO_TEST_CASE(a_number_that_others_have_used_is_waited_for) {
    one_store theirs;
    const auto subject = make_uuid();
    const auto k = theirs.add(subject);
    one_store a;
    BOOST_TEST((a.keys->numbered(1).error().code == code::secrets_locked));
    quick_agreement others(*a.keys);
    BOOST_TEST((a.keys->numbered(1).error().code == code::secrets_locked)); // it does not come
    others.coming = k;
    BOOST_TEST((a.keys->numbered(1).value()->subject == subject));
    BOOST_TEST(a.keys->numbered(1).has_value());
    BOOST_TEST(others.awaited.size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_master_key_of_a_cluster_is_not_changed_by_one_node) {
    one_store a;
    quick_agreement others(*a.keys);
    BOOST_TEST(a.keys->wrap_with(std::make_shared<fake_wrapping>("second", "first")).has_value()); // of nothing
    a.open();
    a.add(make_uuid());
    const auto before = a.files();
    quick_agreement again(*a.keys);
    BOOST_TEST(a.keys->wrap_with(std::make_shared<fake_wrapping>("first")).has_value());
    const auto changed = a.keys->wrap_with(std::make_shared<fake_wrapping>("second", "first"));
    BOOST_REQUIRE(changed.has_error());
    BOOST_TEST((changed.error().code == code::conflict));
    BOOST_TEST((a.files() == before));
}

// ---- who writes

BOOST_AUTO_TEST_CASE(an_append_needs_the_keys_of_its_subject_its_organization_and_its_clients) {
    sealed_journal j;
    quick_agreement others(j.keys_of());
    const auto person = make_uuid();
    const auto client = make_uuid();
    const auto home = make_uuid(); // of a program that acts elsewhere
    std::vector<record> records(4);
    for (auto& r : records) {
        r.entity.organization = one_organization;
        r.client = sealed_journal::client_of("x");
    }
    records[0].principal = records[1].principal = "user/" + to_string(client);
    records[2].principal = "api_key/1";
    records[2].client.organization = home;
    records[3].principal = "user/" + to_string(make_uuid());
    records[3].client = {}; // of whom nothing is known
    BOOST_REQUIRE(issue_keys(j.store(), person, one_organization, records).has_value());
    BOOST_TEST((sorted(others.issued) == sorted({person, one_organization, client, home})));
    BOOST_REQUIRE(issue_keys(j.store(), person, one_organization, records).has_value());
    BOOST_TEST(others.issued.size() == 4u);
}

BOOST_AUTO_TEST_CASE(an_append_whose_keys_were_issued_is_written_without_asking_anybody) {
    sealed_journal j;
    quick_agreement others(j.keys_of());
    const entity_address a{one_organization, "counter", make_uuid()};
    const auto person = make_uuid();
    auto append = j.change(a, "something", person);
    append.records.front().principal = "user/" + to_string(make_uuid());
    BOOST_REQUIRE(issue_keys(j.store(), append.subject, a.organization, append.records).has_value());
    const auto asked = others.issued.size();
    BOOST_REQUIRE(j.journal->commit(std::move(append)).has_value());
    BOOST_TEST(j.keys_of().count() == 3u);
    const entity_address other{one_organization, "counter", make_uuid()};
    const auto too_early = j.journal->commit(j.change(other, "something else", make_uuid()));
    BOOST_REQUIRE(too_early.has_error());
    BOOST_TEST((too_early.error().code == code::conflict));
    BOOST_TEST(others.issued.size() == asked);
}

BOOST_AUTO_TEST_CASE(what_keeps_a_key_from_being_issued_is_the_problem_of_the_append_but_for_an_erased_client) {
    sealed_journal j;
    quick_agreement others(j.keys_of());
    const auto person = make_uuid();
    std::vector<record> records(1);
    records[0].principal = "user/" + to_string(person);
    records[0].client = sealed_journal::client_of("x");
    BOOST_REQUIRE(j.keys_of().of(one_organization).has_value());
    others.refusal = problem{code::unavailable, "nobody is there"};
    BOOST_TEST((issue_keys(j.store(), {}, one_organization, records).error().code == code::unavailable));
    BOOST_TEST((issue_keys(j.store(), person, one_organization, {}).error().code == code::unavailable));
    BOOST_TEST((issue_keys(j.store(), {}, other_organization, {}).error().code == code::unavailable));
    BOOST_TEST(issue_keys(j.store(), {}, one_organization, {}).has_value());
    others.refusal.reset();
    BOOST_REQUIRE(j.keys_of().of(person).has_value());
    BOOST_REQUIRE(j.keys_of().destroy(person, {5}).has_value());
    BOOST_TEST(issue_keys(j.store(), {}, one_organization, records).has_value());
    BOOST_TEST((issue_keys(j.store(), person, one_organization, {}).error().code == code::erased));
    BOOST_TEST(issue_keys(sealed_journal(false).store(), person, one_organization, records).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
