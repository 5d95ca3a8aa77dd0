#include "tests/actors/given.hpp"
#include "tests/actors/mini_node.hpp"
#include "tests/actors/notification_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

constexpr std::string_view all_set = R"({"smtp":{"url":"smtp://127.0.0.1:9","from":"node@example.org"},
                                         "webhook_allow":"public","batch_ms":7})";

std::vector<std::string> wrong(const notification_desk& desk, const notification_preferences& p,
                               std::string_view owner = "user/ada") {
    std::vector<std::string> out;
    if (const auto done = desk.check(p, owner); !done) {
        for (const auto& e : done.error().errors) {
            out.push_back(e.pointer);
        }
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(notification_desk_suite)

BOOST_AUTO_TEST_CASE(what_the_node_cannot_send_is_refused_by_its_place) {
    mini_node node;
    const plain_desk none(*node.services.store);
    const plain_desk all(*node.services.store, all_set);
    notification_preferences p;
    BOOST_TEST(wrong(*none, p).empty());
    p.channels = {notification_channel::email};
    BOOST_TEST((wrong(*none, p) == texts{"/channels"}));
    BOOST_TEST(wrong(*all, p).empty());
    BOOST_TEST((wrong(*all, p, "key/admin") == texts{"/email"}));
    p.email = "a@b\r\nBcc: c@d";
    BOOST_TEST((wrong(*all, p) == texts{"/email"}));
    p = {};
    p.by_kind = {{notification_kind::failure, {notification_channel::webhook}}};
    BOOST_TEST((wrong(*none, p) == texts{"/channels"}));
    BOOST_TEST((wrong(*all, p) == texts{"/webhook_url"}));
    p.webhook_url = "file:///etc/passwd";
    BOOST_TEST((wrong(*all, p) == texts{"/webhook_url"}));
}

BOOST_AUTO_TEST_CASE(the_batch_is_the_nodes_unless_somebody_says_another) {
    mini_node node;
    const plain_desk all(*node.services.store, all_set);
    notification_preferences p;
    BOOST_TEST(!all->completed(p).batch_ms.has_value());
    p.channels = {notification_channel::email};
    BOOST_TEST(*all->completed(p).batch_ms == 7);
    p.batch_ms = 0;
    BOOST_TEST(*all->completed(p).batch_ms == 0);
}

BOOST_AUTO_TEST_CASE(each_inbox_and_number_has_a_secret_of_its_own) {
    mini_node node;
    const plain_desk desk(*node.services.store);
    const auto secret = [&](std::uint8_t organization, std::uint8_t id, std::uint32_t number) {
        notification_preferences p;
        p.webhook_secret_number = number;
        return desk->webhook_secret({id_of(organization), "inbox", id_of(id)}, p).value();
    };
    BOOST_TEST(secret(1, 2, 0) == secret(1, 2, 0));
    BOOST_TEST(secret(1, 2, 0) != secret(1, 2, 1));
    BOOST_TEST(secret(1, 2, 0) != secret(1, 3, 0));
    BOOST_TEST(secret(1, 2, 0) != secret(3, 2, 0));
}

BOOST_AUTO_TEST_CASE(settings_that_cannot_be_used_are_named) {
    mini_node node;
    for (const auto* bad : {R"({"smtp":{"url":"smtp://x:25","from":"no address"}})",
                            R"({"templates":"/nowhere/at/all"})", R"({"retry_ms":0})"}) {
        BOOST_CHECK_THROW(plain_desk(*node.services.store, bad), std::exception);
    }
}

BOOST_AUTO_TEST_SUITE_END()
