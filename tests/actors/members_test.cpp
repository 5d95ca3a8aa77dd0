#include "actors/common/members.hpp"
#include "actors/common/message_ids.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/task/rank.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::actors;

namespace {

using texts = std::vector<std::string>;

uuid some_id(std::uint8_t n) {
    uuid id;
    id.bytes[15] = n;
    return id;
}

} // namespace

BOOST_AUTO_TEST_SUITE(names_and_places)

BOOST_AUTO_TEST_CASE(names_behind_an_at) {
    const std::vector<std::pair<std::string, texts>> cases{
        {"Hi @ada and @agent:technical:main.", {"ada", "agent:technical:main"}},
        {"@ada@example.org, please; @ada!", {"ada@example.org", "ada"}},
        {"mail me@example.org or https://x.org/@you", {}},
        {"`@code` and ```\n@block\n``` but @text", {"text"}},
        {"``a ` @b`` @c", {"c"}},
        {"an open ` @tick", {"tick"}},
        {"@ @@ @. @-", {}},
        {"(@jörg) @ada @ada", {"jörg", "ada"}},
    };
    for (const auto& [text, names] : cases) {
        BOOST_TEST(names_mentioned(text) == names, boost::test_tools::per_element());
    }
    std::string many;
    for (int i = 0; i < 1000; ++i) {
        many += "@n" + std::to_string(i) + " ";
    }
    BOOST_TEST(names_mentioned(many).size() == 50u);
    BOOST_TEST(names_mentioned(std::string(60'000, '`') + "@x").size() == 1u);
}

BOOST_AUTO_TEST_CASE(ids_of_messages_say_where_they_are) {
    for (const std::uint64_t number : {1ULL, 63ULL, 64ULL, 1'000'000'000'000ULL}) {
        const auto id = message_id(some_id(1), number);
        const auto place = place_of_message(id);
        BOOST_TEST_REQUIRE(!!place);
        BOOST_TEST(place->number == number);
        BOOST_TEST(place->filter == message_filter(some_id(1)));
        BOOST_TEST(place->filter != message_filter(some_id(2)));
    }
    BOOST_TEST(!place_of_message(make_uuid()));
    BOOST_TEST(!place_of_message(message_id(some_id(1), 0)));
}

BOOST_AUTO_TEST_CASE(keys_of_tasks) {
    BOOST_TEST(task_key(7) == "TASK-007");
    BOOST_TEST(task_key(12345) == "TASK-12345");
    BOOST_TEST(task_number_in("TASK-007").value() == 7u);
    BOOST_TEST(task_number_in("task-12345").value() == 12345u);
    for (const auto* wrong : {"", "TASK-", "TASK-0", "TASK-x", "TASK-1x", "BUG-1", "TASK-99999999999999999999"}) {
        BOOST_TEST(!task_number_in(wrong), wrong);
    }
}

BOOST_AUTO_TEST_CASE(there_is_always_a_rank_between_two) {
    std::mt19937 random(7);
    std::vector<std::string> ranks{rank_of({1'000}, 1), rank_of({2'000}, 0)};
    BOOST_TEST((ranks[0] < ranks[1]));
    BOOST_TEST((rank_of({1'000}, 9) < rank_of({1'000}, 10)));
    for (int i = 0; i < 2000; ++i) {
        const auto at = std::uniform_int_distribution<std::size_t>(0, ranks.size())(random);
        const std::string above = at == 0 ? "" : ranks[at - 1];
        const std::string below = at == ranks.size() ? "" : ranks[at];
        const auto made = rank_between(above, below);
        BOOST_TEST_REQUIRE((above < made));
        BOOST_TEST_REQUIRE((below.empty() || made < below));
        BOOST_TEST_REQUIRE(made.back() != '0');
        ranks.insert(ranks.begin() + static_cast<std::ptrdiff_t>(at), made);
    }
    BOOST_TEST((rank_between("b", "a") > "b")); // what was read of the board may be old
    BOOST_TEST((rank_between("a", "a") > "a"));
    BOOST_TEST(rank_between("", "0").size() < 5u);
}

BOOST_AUTO_TEST_SUITE_END()
