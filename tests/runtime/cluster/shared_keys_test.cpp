// Keys of contents that several nodes agree on.

#include "tests/runtime/cluster/key_nodes.hpp"

using namespace troupe;
using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(cluster_shared_keys)

BOOST_AUTO_TEST_CASE(a_key_is_at_the_coordinator_and_at_every_node_under_its_number) {
    cluster_of_keys all;
    const auto subject = make_uuid();
    BOOST_TEST(all.issue(all[0], subject) == 1u);
    BOOST_TEST((all[0].files() == all[1].files()));
    const auto entries = all.entries();
    BOOST_REQUIRE(entries.contains("keys/00000001"));
    const auto kept = decode_content_key(1, entries.at("keys/00000001")).value();
    BOOST_TEST((kept.subject == subject));
    BOOST_TEST(all[1].knows(kept.wrapped));
    BOOST_TEST(entries.at("subjects/" + to_string(subject)) == R"({"number":1})");
    const auto revision = all.map->revision();
    BOOST_TEST(all.issue(all[1], subject) == 1u); // is there
    BOOST_TEST(all.map->revision() == revision);
    BOOST_TEST(all.issue(all[1], make_uuid()) == 2u);
    BOOST_TEST((all[0].files() == all[1].files()));
}

BOOST_AUTO_TEST_CASE(a_key_is_not_given_before_the_coordinators_news_have_brought_it) {
    cluster_of_keys all;
    auto made = begin([&, subject = make_uuid()] { return all[0].keys->of(subject); });
    until("it is at the coordinator", [&] { return all.entries().contains("keys/00000001"); });
    all[1].hear();
    BOOST_TEST(all[1].keys->count() == 1u);
    BOOST_TEST(!is_over(made));
    BOOST_TEST(all[0].keys->is_empty());
    BOOST_TEST(all.finish(std::move(made)).has_value());
}

BOOST_AUTO_TEST_CASE(two_nodes_that_need_the_key_of_one_subject_get_the_same_one) {
    cluster_of_keys all;
    const auto subject = make_uuid();
    auto one = begin([&] { return all[0].keys->of(subject); });
    until("one has made it", [&] { return all.entries().contains("keys/00000001"); });
    auto other = begin([&] { return all[1].keys->of(subject); }); // which has not heard of it
    until("the other one has lost", [&] { return all[1].news.waiting() >= 2; });
    const auto first = all.finish(std::move(one)).value();
    const auto second = all.finish(std::move(other)).value();
    BOOST_TEST(first->number == second->number);
    BOOST_TEST((first->sealing == second->sealing));
    BOOST_TEST(all[0].keys->count() == 1u);
    BOOST_TEST(all.entries().size() == 2u);
}

BOOST_AUTO_TEST_CASE(two_nodes_that_need_keys_of_different_subjects_get_one_number_each) {
    cluster_of_keys all;
    const auto a = make_uuid();
    const auto b = make_uuid();
    auto one = begin([&] { return all[0].keys->of(a); });
    until("one has made it", [&] { return all.entries().contains("keys/00000001"); });
    auto other = begin([&] { return all[1].keys->of(b); });
    until("the other one has lost the number", [&] { return all[1].news.waiting() >= 2; });
    BOOST_TEST(all.finish(std::move(one)).value()->number == 1u);
    BOOST_TEST(all.finish(std::move(other)).value()->number == 2u);
    BOOST_TEST((all[0].files() == all[1].files()));
}

BOOST_AUTO_TEST_CASE(the_answer_to_a_lost_race_may_come_after_the_news_of_it) {
    cluster_of_keys all;
    const auto b = make_uuid();
    all.finish(begin([&] { return all[0].keys->of(make_uuid()); }));
    auto other = begin([&] { return all[0].keys->of(make_uuid()); });
    until("two are there", [&] { return all.entries().contains("keys/00000002"); });
    auto made = begin([&] { return all[1].keys->of(b); });
    until("it has lost", [&] { return all[1].news.waiting() >= 2; });
    all[1].news.run_some(1); // the news
    BOOST_TEST(all[1].keys->count() == 2u);
    all[1].hear(); // the answer: nothing else comes
    until("it tries again", [&] { return all.entries().contains("keys/00000003"); });
    BOOST_TEST(all.finish(std::move(made)).value()->number == 3u);
    BOOST_TEST(all.finish(std::move(other)).has_value());
}

BOOST_AUTO_TEST_CASE(after_an_answer_the_news_are_waited_for_and_nothing_is_tried_before) {
    cluster_of_keys all;
    all[1].holds = true;
    auto made = begin([&, subject = make_uuid()] { return all[1].keys->of(subject); });
    until("it is at the coordinator", [&] { return all.entries().contains("keys/00000001"); });
    BOOST_TEST(all[1].news.run_some() == 2u); // its news, which are late, and the answer
    all[1].release();
    BOOST_TEST(all.finish(std::move(made)).value()->number == 1u);

    all[1].holds = true;
    all.issue(all[0], make_uuid());
    auto late = begin([&, subject = make_uuid()] { return all[1].keys->of(subject); });
    until("it has lost", [&] { return all[1].news.waiting() > 0; });
    BOOST_TEST(all[1].news.run_some() == 1u);
    all[1].release();
    until("it tries again", [&] { return all.entries().contains("keys/00000003"); });
    BOOST_TEST(all.finish(std::move(late)).value()->number == 3u);
}

BOOST_AUTO_TEST_CASE(many_threads_of_all_nodes_agree_on_numbers_without_holes) {
    cluster_of_keys all(3);
    std::vector<uuid> subjects(50);
    std::ranges::generate(subjects, make_uuid);
    std::vector<std::future<std::uint32_t>> calls;
    for (std::size_t i = 0; i < subjects.size(); ++i) {
        for (const auto at : {i % 3, i % 3, (i + 1) % 3}) {
            calls.push_back(begin([&all, at, subject = subjects[i]] {
                const auto made = all[at].keys->of(subject);
                return made ? (*made)->number : 0;
            }));
        }
    }
    std::set<std::uint32_t> numbers;
    for (auto& call : calls) {
        numbers.insert(all.finish(std::move(call)));
    }
    BOOST_TEST(numbers.size() == subjects.size());
    BOOST_TEST(*numbers.begin() == 1u);
    BOOST_TEST(*numbers.rbegin() == subjects.size());
    BOOST_TEST((all[0].files() == all[1].files()));
    BOOST_TEST((all[0].files() == all[2].files()));
}

BOOST_AUTO_TEST_CASE(a_lost_answer_makes_no_second_key) {
    for (const auto fate : {memory_coordinator::fate::lost_before, memory_coordinator::fate::lost_after}) {
        cluster_of_keys all;
        all[0].agreed->set_fate(fate);
        auto made = begin([&, subject = make_uuid()] { return all[0].keys->of(subject); });
        until("the answer is lost", [&] { return all[0].news.waiting() > 0; });
        all[0].agreed->set_fate(memory_coordinator::fate::answered);
        BOOST_TEST(all.finish(std::move(made)).value()->number == 1u);
        BOOST_TEST(all.entries().size() == 2u);
        BOOST_TEST((all[0].files() == all[1].files()));
    }
}

BOOST_AUTO_TEST_CASE(answers_that_are_always_lost_end_the_wait) {
    cluster_of_keys all;
    all[0].agreed->set_fate(memory_coordinator::fate::lost_before);
    const auto made = all.finish(begin([&] { return all[0].keys->of(make_uuid()); }));
    BOOST_REQUIRE(made.has_error());
    BOOST_TEST((made.error().code == code::unavailable));
    BOOST_TEST(all[0].keys->is_empty());
}

BOOST_AUTO_TEST_CASE(a_transaction_that_never_holds_ends_the_wait) {
    cluster_of_keys all;
    const auto subject = make_uuid();
    all.write(subject_key(subject), "{}"); // without its key
    const auto made = all.finish(begin([&] { return all[0].keys->of(subject); }));
    BOOST_REQUIRE(made.has_error());
    BOOST_TEST((made.error().code == code::unavailable));
    BOOST_TEST(all.issue(all[0], make_uuid()) == 1u);
}

// ---- destroyed ones

BOOST_AUTO_TEST_CASE(a_key_that_one_node_destroys_is_destroyed_at_all) {
    cluster_of_keys all;
    const auto gone = make_uuid();
    all.issue(all[0], gone);
    const auto wrapped = decode_content_key(1, all.entries().at("keys/00000001")).value().wrapped;
    BOOST_REQUIRE(all.destroy(all[1], gone).has_value());
    BOOST_TEST(all.entries().at("keys/00000001").find(wrapped) == std::string::npos);
    for (auto& n : all.nodes) {
        BOOST_TEST((n->keys->of(gone).error().code == code::erased));
        BOOST_TEST(n->keys->erased_at(gone)->ms == when.ms);
        BOOST_TEST(!n->knows(wrapped));
        BOOST_TEST(std::filesystem::exists(n->directory.path / "keys" / "removal-owed"));
    }
    const auto revision = all.map->revision();
    BOOST_TEST(all.destroy(all[0], gone, when + 5).has_value()); // once more
    BOOST_TEST(all.map->revision() == revision);
    BOOST_TEST(all.issue(all[0], make_uuid()) == 2u);
}

BOOST_AUTO_TEST_CASE(two_nodes_may_destroy_the_same_key_at_once) {
    cluster_of_keys all;
    const auto gone = make_uuid();
    all.issue(all[0], gone);
    auto one = begin([&] { return all[0].keys->destroy(gone, when); });
    until("one has destroyed it", [&] { return all[0].news.waiting() >= 2; });
    auto other = begin([&] { return all[1].keys->destroy(gone, when + 5); });
    until("the other one has lost", [&] { return all[1].news.waiting() >= 2; });
    BOOST_TEST(all.finish(std::move(one)).has_value());
    BOOST_TEST(all.finish(std::move(other)).has_value());
    BOOST_TEST(all[1].keys->erased_at(gone)->ms == when.ms);
}

BOOST_AUTO_TEST_CASE(a_key_can_be_destroyed_by_who_heard_of_it_with_later_revisions) {
    cluster_of_keys all;
    all[1].revisions_merged = 5;
    const auto gone = make_uuid();
    all.issue(all[0], gone);
    BOOST_REQUIRE(all.destroy(all[1], gone).has_value());
    BOOST_TEST((all[0].keys->of(gone).error().code == code::erased));
}

BOOST_AUTO_TEST_CASE(who_was_away_destroys_what_was_destroyed_meanwhile) {
    for (const bool compacted : {false, true}) {
        cluster_of_keys all;
        const auto gone = make_uuid();
        all.issue(all[0], gone);
        const auto wrapped = decode_content_key(1, all.entries().at("keys/00000001")).value().wrapped;
        all[1].agreed->cut("away");
        BOOST_REQUIRE(all.destroy(all[0], gone).has_value());
        all.issue(all[0], make_uuid());
        BOOST_TEST(all[1].knows(wrapped));
        all[1].agreed->heal(compacted);
        all.hear();
        BOOST_TEST(!all[1].knows(wrapped));
        BOOST_TEST((all[1].keys->of(gone).error().code == code::erased));
        BOOST_TEST((all[0].files() == all[1].files()));
    }
}

BOOST_AUTO_TEST_CASE(a_subject_that_was_erased_before_it_had_a_key_gets_none_anywhere) {
    cluster_of_keys all;
    const auto gone = make_uuid();
    const auto revision = all.map->revision();
    BOOST_REQUIRE(all.destroy(all[0], gone).has_value());
    BOOST_TEST(all.map->revision() == revision + 1); // there was never one
    BOOST_TEST((all[1].keys->of(gone).error().code == code::erased));
    BOOST_TEST(all.entries().contains("subjects/" + to_string(gone)));
    const auto kept = decode_content_key(1, all.entries().at("keys/00000001")).value();
    BOOST_TEST((kept == storage::agreed_key{1, gone, {}, when}));
    BOOST_TEST(all.issue(all[1], make_uuid()) == 2u);
}

// ---- waits

BOOST_AUTO_TEST_CASE(nobody_waits_for_a_coordinator_that_cannot_be_reached) {
    cluster_of_keys all;
    const auto known = make_uuid();
    all.issue(all[0], known);
    all[0].agreed->cut("the cable is out");
    all[0].hear();
    const auto refused = all[0].keys->of(make_uuid()); // on the thread that would have to bring the news
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::unavailable));
    BOOST_TEST(refused.error().detail.find("the cable is out") != std::string::npos);
    BOOST_TEST((all[0].keys->destroy(known, when).error().code == code::unavailable));
    BOOST_TEST((all[0].keys->numbered(7).error().code == code::secrets_locked));
    BOOST_TEST(all[0].keys->of(known).has_value());
    all[0].agreed->heal();
    all[0].hear();
    BOOST_TEST(all.issue(all[0], make_uuid()) == 2u);
}

BOOST_AUTO_TEST_CASE(what_the_coordinator_refuses_is_not_tried_again) {
    cluster_of_keys all;
    all[0].unaware = true;
    all[0].agreed->cut("the cable is out");
    const auto refused = all.finish(begin([&] { return all[0].keys->of(make_uuid()); }));
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::unavailable));
    BOOST_TEST(refused.error().detail.find("the cable is out") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_waits_when_the_coordinator_is_lost_is_told_so) {
    cluster_of_keys all;
    auto made = begin([&] { return all[0].keys->of(make_uuid()); });
    until("it is at the coordinator", [&] { return all.entries().contains("keys/00000001"); });
    auto numbered = begin([&] { return all[0].keys->numbered(9); });
    all[0].shared->on_reachable(false, "lost");
    const auto ended = made.get();
    BOOST_TEST((ended.error().code == code::unavailable));
    BOOST_TEST((numbered.get().error().code == code::secrets_locked));
}

BOOST_AUTO_TEST_CASE(a_wait_has_an_end_and_what_it_waited_for_may_come_later) {
    cluster_of_keys all(1);
    all[0].restart(0, 0);
    const auto subject = make_uuid();
    BOOST_TEST((all[0].keys->of(subject).error().code == code::unavailable)); // it has not heard the map
    all[0].hear();
    BOOST_TEST((all[0].keys->of(subject).error().code == code::unavailable));
    BOOST_TEST((all[0].keys->numbered(1).error().code == code::secrets_locked));
    all[0].hear();
    BOOST_TEST(all[0].keys->of(subject).value()->number == 1u);
}

BOOST_AUTO_TEST_CASE(whoever_reads_what_is_sealed_with_a_key_of_others_waits_for_its_news) {
    cluster_of_keys all;
    const auto subject = make_uuid();
    auto made = begin([&] { return all[0].keys->of(subject); });
    until("it is at the coordinator", [&] { return all.entries().contains("keys/00000001"); });
    all[0].hear();
    BOOST_REQUIRE(made.get().has_value());
    auto read = begin([&] { return all[1].keys->numbered(1); });
    for (int i = 0; i < 10'000 && !is_over(read); ++i) {
        std::this_thread::yield();
    }
    BOOST_TEST(!is_over(read));
    const auto key = all.finish(std::move(read));
    BOOST_REQUIRE(key.has_value());
    BOOST_TEST(((*key)->subject == subject));
}

// ---- what must not be

BOOST_AUTO_TEST_CASE(a_node_with_keys_of_its_own_is_refused) {
    for (const bool same_number : {true, false}) {
        cluster_of_keys all(1);
        if (same_number) {
            all.issue(all[0], make_uuid());
        }
        auto& stranger = *all.nodes.emplace_back(std::make_unique<key_node>(all.map));
        const auto own = make_uuid();
        const storage::agreed_key k{1, own, stranger.keys->draw(own, 1), {}};
        BOOST_REQUIRE(stranger.keys->take(std::span(&k, 1)).has_value()); // from its former life
        stranger.hear();
        BOOST_REQUIRE(stranger.refusals.size() == 1u);
        const auto& why = stranger.refusals.front();
        BOOST_TEST((why.code == code::conflict));
        BOOST_TEST(why.detail.find(same_number ? to_string(own) : "does not know key 1") != std::string::npos,
                   why.detail);
        const auto made = stranger.keys->of(make_uuid()); // does not wait
        BOOST_REQUIRE(made.has_error());
        BOOST_TEST(made.error().detail == why.detail);
        BOOST_TEST(stranger.keys->count() == 1u);
        BOOST_TEST(all.entries().size() == (same_number ? 2u : 0u));
    }
}

BOOST_AUTO_TEST_CASE(keys_that_are_removed_from_the_map_or_cannot_be_read_end_a_node) {
    for (const auto& [value, says] : std::vector<std::pair<std::optional<std::string>, std::string>>{
             {std::nullopt, "removed"}, {"{}", "neither"}, {"no JSON", "keys/00000001"}}) {
        cluster_of_keys all;
        all.issue(all[0], make_uuid());
        all.write("keys/00000001", value);
        all.write("keys/00000001", "still nothing");
        for (auto& n : all.nodes) {
            BOOST_REQUIRE(n->refusals.size() == 1u);
            BOOST_TEST(n->refusals.front().detail.find(says) != std::string::npos, n->refusals.front().detail);
            BOOST_TEST(n->keys->numbered(1).has_value());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_node_with_another_master_key_is_refused_and_told_what_to_do) {
    cluster_of_keys all;
    auto& stranger = all.add("second");
    BOOST_TEST(stranger.refusals.empty()); // nothing is sealed yet
    all.issue(all[0], make_uuid());
    auto& late = all.add("second");
    for (auto* n : {&stranger, &late}) {
        BOOST_REQUIRE(n->refusals.size() == 1u);
        BOOST_TEST((n->refusals.front().code == code::secrets_locked));
        BOOST_TEST(n->refusals.front().detail.find("not that of the cluster") != std::string::npos);
        BOOST_TEST(n->refusals.front().detail.find("give it the key file that the others have") != std::string::npos);
        BOOST_TEST(n->keys->is_empty());
    }
    all.issue(all[1], make_uuid());
    BOOST_TEST(stranger.refusals.size() == 1u); // once
}

BOOST_AUTO_TEST_CASE(a_node_comes_back_with_its_keys_and_goes_on) {
    cluster_of_keys all;
    const auto stays = make_uuid();
    const auto gone = make_uuid();
    all.issue(all[0], stays);
    all.issue(all[0], gone);
    const auto before = all[1].files();
    all[1].restart();
    all.hear();
    BOOST_TEST((all[1].files() == before));
    BOOST_TEST(all[1].keys->of(stays).has_value());
    BOOST_TEST(all.issue(all[1], make_uuid()) == 3u);
    all[1].stop();
    BOOST_REQUIRE(all.destroy(all[0], gone).has_value());
    all.issue(all[0], make_uuid());
    all[1].start();
    all.hear();
    BOOST_TEST(all[1].refusals.empty());
    BOOST_TEST((all[1].keys->of(gone).error().code == code::erased));
    BOOST_TEST((all[0].files() == all[1].files()));
}

BOOST_AUTO_TEST_SUITE_END()
