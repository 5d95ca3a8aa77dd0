#include "schemas/permissions.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(permissions)

BOOST_AUTO_TEST_CASE(a_pattern_covers_what_it_names) {
    BOOST_TEST(covers("task:write", "task:write"));
    BOOST_TEST(covers("task:*", "task:write"));
    BOOST_TEST(covers("*:read", "task:read"));
    BOOST_TEST(covers("*", "task:write"));
    BOOST_TEST(!covers("task:write", "task:read"));
    BOOST_TEST(!covers("task:*", "tasks:read"));
    BOOST_TEST(!covers("*:read", "task:write"));
}

BOOST_AUTO_TEST_CASE(nothing_of_an_organization_covers_the_node) {
    for (const auto* pattern : {"*", "*:read", "*:*"}) {
        BOOST_TEST(!covers(pattern, "system:read"), pattern);
    }
    BOOST_TEST(covers("system:*", "system:admin"));
    for (const auto& role : built_in_roles()) {
        BOOST_TEST(covering(role.permissions, "system:read").empty(), role.name);
    }
}

BOOST_AUTO_TEST_CASE(only_what_is_covered_can_be_given_on) {
    const std::vector<std::string> owner{"*"};
    const std::vector<std::string> some{"task:*", "run:read"};
    BOOST_TEST(covers_all(owner, some));
    BOOST_TEST(!covers_all(some, owner));
    BOOST_TEST(covers_all(some, std::vector<std::string>{"task:write"}));
    BOOST_TEST(!covers_all(some, std::vector<std::string>{"run:write"}));
    BOOST_TEST(!covers_all(some, std::vector<std::string>{"*:read"}));
    BOOST_TEST(!covers_all(owner, std::vector<std::string>{"system:read"}));
}

BOOST_AUTO_TEST_CASE(owners_give_every_role_and_administrators_all_but_theirs) {
    const auto permissions = [](std::string_view name) { return find_built_in_role(name)->permissions; };
    for (const auto& role : built_in_roles()) {
        BOOST_TEST(covers_all(permissions("owner"), role.permissions), role.name);
        BOOST_TEST(covers_all(permissions("admin"), role.permissions) == (role.name != "owner"), role.name);
    }
    BOOST_TEST(!covers_all(permissions("viewer"), permissions("member")));
}

BOOST_AUTO_TEST_CASE(patterns_are_resource_and_action) {
    for (const auto* good : {"*", "task:read", "api_key:*", "*:read", "*:*"}) {
        BOOST_TEST(is_permission_pattern(good), good);
    }
    for (const auto* bad : {"", ":", "task", "task:", ":read", "Task:read", "task:read:more", "task read"}) {
        BOOST_TEST(!is_permission_pattern(bad), bad);
    }
}

BOOST_AUTO_TEST_CASE(every_built_in_role_is_made_of_patterns_and_is_found_by_name) {
    for (const auto& role : built_in_roles()) {
        for (const auto& p : role.permissions) {
            BOOST_TEST(is_permission_pattern(p), role.name << ": " << p);
        }
        BOOST_TEST(find_built_in_role(role.name) == &role);
    }
    BOOST_TEST(find_built_in_role("emperor") == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
