#include "actors/secret/secret_model.hpp"

#include "schemas/secret.hpp"
#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

struct secret : entity<secret_model> {
    secret() { accepted(set_secret{"OPENAI", 1, "s1.1.abc"}); }
    [[nodiscard]] std::string kept() const { return items().back().document; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(secret_entity)

BOOST_FIXTURE_TEST_CASE(a_secret_shows_its_name_version_and_key_and_no_ciphertext, secret) {
    const auto shown = document<secret_document>();
    BOOST_TEST(shown.name == "OPENAI");
    BOOST_TEST(shown.version == 1U);
    BOOST_TEST(shown.key == 1U);
    BOOST_TEST(shown.updated_by == "key/tester");
    BOOST_TEST(view().document.find("abc") == std::string::npos);
    BOOST_TEST((kept() == R"({"version":1,"sealed":"s1.1.abc"})"));
}

BOOST_FIXTURE_TEST_CASE(a_value_is_only_taken_for_the_version_that_comes_next, secret) {
    BOOST_TEST((refused(set_secret{"OPENAI", 1, "s1.1.x"}).code == code::conflict));
    BOOST_TEST((refused(set_secret{"OPENAI", 3, "s1.1.x"}).code == code::conflict));
    BOOST_TEST((refused(set_secret{"OTHER", 2, "s1.1.x"}).code == code::invalid_request));
    BOOST_TEST((refused(set_secret{"OPENAI", 2, ""}).code == code::conflict));
    accepted(set_secret{"OPENAI", 2, "s1.1.x"});
    BOOST_TEST(document<secret_document>().version == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_deleted_secret_is_gone_and_its_versions_are_never_used_again, secret) {
    accepted(delete_secret{});
    BOOST_TEST(!view().exists);
    BOOST_TEST((kept() == R"({"version":1,"sealed":""})"));
    BOOST_TEST((refused(delete_secret{}).code == code::not_found));
    BOOST_TEST((refused(set_secret{"OPENAI", 1, "s1.1.x"}).code == code::conflict));
    accepted(set_secret{"OPENAI", 2, "s1.1.x"});
    BOOST_TEST(document<secret_document>().version == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_rotation_changes_the_ciphertext_of_the_same_value_only, secret) {
    accepted(reseal_secret{1, "s1.2.def"});
    BOOST_TEST(document<secret_document>().key == 2U);
    BOOST_TEST(document<secret_document>().version == 1U);
    BOOST_TEST(accepted(reseal_secret{1, "s1.2.def"}).empty()); // a repeat
    accepted(set_secret{"OPENAI", 2, "s1.2.new"});
    BOOST_TEST(accepted(reseal_secret{1, "s1.3.late"}).empty()); // somebody set another value meanwhile
    accepted(delete_secret{});
    BOOST_TEST(accepted(reseal_secret{2, "s1.3.late"}).empty());
    BOOST_TEST(!view().exists);
}

BOOST_AUTO_TEST_CASE(names_are_letters_digits_and_a_few_signs) {
    for (const auto* good : {"A", "openai.key", "a-b_c.9", "0x"}) {
        BOOST_TEST(is_secret_name(good), good);
    }
    for (const auto* bad : {"", ".a", "-a", "a b", "a/b", "ä", "a\n"}) {
        BOOST_TEST(!is_secret_name(bad), bad);
    }
    BOOST_TEST(is_secret_name(std::string(128, 'a')));
    BOOST_TEST(!is_secret_name(std::string(129, 'a')));
    BOOST_TEST((secret_address(organization, "a") != secret_address(organization, "A")));
    BOOST_TEST((secret_address(organization, "a") != secret_address(id_of(7), "a")));
}

BOOST_AUTO_TEST_SUITE_END()
