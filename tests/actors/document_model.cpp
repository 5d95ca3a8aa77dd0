#include "actors/document/document_model.hpp"

#include "actors/document/template_text.hpp"
#include "tests/actors/given.hpp"

#include <algorithm>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

BOOST_AUTO_TEST_SUITE(document_entity)

namespace {

const document_caller ann{"user/" + to_string(id_of(50)), false};
const document_caller bob{"user/" + to_string(id_of(51)), false};
const document_caller boss{"user/" + to_string(id_of(52)), true};

document_content content(char digit, std::uint64_t bytes = 10) { return {std::string(64, digit), bytes}; }

create_document creation(document_access organization_access = document_access::write) {
    return {ann, "Rounding", document_type::research, content('a'), {}, {}, {"sums"}, organization_access, false};
}

update_document with_content(const document_caller& who, document_content c) {
    update_document out;
    out.caller = who;
    out.content = std::move(c);
    return out;
}

bool has_key(const entity<document_model>& d, std::string_view filter) {
    const auto view = document_model::view(d.state(), {id_of(1), 1});
    return std::ranges::any_of(view.keys, [&](const auto& key) { return key.filter == filter; });
}

} // namespace

BOOST_AUTO_TEST_CASE(a_content_is_a_version_and_other_changes_are_none) {
    entity<document_model> d;
    d.accepted(creation());
    d.accepted(with_content(bob, content('b', 20)));
    BOOST_TEST(d.accepted(with_content(bob, content('b', 20))).empty());
    update_document rename;
    rename.caller = bob;
    rename.title = "Rounding of sums";
    d.accepted(rename);
    BOOST_TEST(d.accepted(rename).empty());
    const auto shown = d.document<document_document>();
    BOOST_TEST(shown.version == 2u);
    BOOST_TEST(shown.bytes == 20u);
    BOOST_TEST(shown.title == "Rounding of sums");
    BOOST_TEST(shown.created_by == ann.name);
    BOOST_TEST(shown.updated_by == bob.name);
    BOOST_TEST(document_model::blobs(d.state()).size() == 2u);
    BOOST_TEST(document_model::holds(d.state()).front().amount == 30);
}

BOOST_AUTO_TEST_CASE(an_older_version_comes_back_as_a_new_one) {
    entity<document_model> d;
    d.accepted(creation());
    d.accepted(with_content(ann, content('b')));
    BOOST_TEST(d.accepted(restore_document{ann, 2}).empty());
    const auto events = d.accepted(restore_document{ann, 1});
    const auto& written = std::get<document_written>(events.at(0));
    BOOST_TEST(written.content.sha256 == content('a').sha256);
    BOOST_TEST(written.restored_from.value() == 1u);
    BOOST_TEST(d.document<document_document>().version == 3u);
    for (const std::uint64_t none : {0, 4}) {
        BOOST_TEST((d.refused(restore_document{ann, none}).code == code::not_found));
    }
}

BOOST_AUTO_TEST_CASE(only_the_newest_versions_are_kept) {
    entity<document_model> d;
    d.accepted(creation());
    for (std::size_t i = 1; i < document_versions_max + 3; ++i) {
        d.accepted(with_content(ann, content(i % 2 == 0 ? 'a' : 'b')));
    }
    const auto& s = d.state();
    BOOST_TEST(s.newest == document_versions_max + 3);
    BOOST_TEST(s.versions.size() == document_versions_max);
    BOOST_TEST(oldest_document_version(s.newest) == 4u);
    BOOST_TEST((d.refused(restore_document{ann, 3}).code == code::not_found));
    const auto items = document_model::items(s, document_written{}, {id_of(1), 1, {}, ""});
    BOOST_REQUIRE(items.size() == 2u);
    BOOST_TEST(items[1].key == document_version_key(3));
    BOOST_TEST(items[1].document == "");
}

BOOST_AUTO_TEST_CASE(what_is_private_is_not_there_for_others) {
    entity<document_model> d;
    d.accepted(creation(document_access::none));
    BOOST_TEST((d.refused(with_content(bob, content('b'))).code == code::not_found));
    d.accepted(share_document{ann, {id_of(51)}, false, document_access::read});
    BOOST_TEST((d.refused(with_content(bob, content('b'))).code == code::forbidden));
    BOOST_TEST((d.refused(delete_document{bob}).code == code::forbidden));
    d.accepted(share_document{ann, {id_of(51)}, false, document_access::write});
    d.accepted(with_content(bob, content('b')));
    d.accepted(share_document{ann, {id_of(51)}, false, document_access::none});
    BOOST_TEST((d.refused(with_content(bob, content('c'))).code == code::not_found));
    d.accepted(with_content(boss, content('c')));
    BOOST_TEST((d.refused(share_document{ann, {}, false, document_access::read}).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(lists_of_others_do_not_have_what_is_private) {
    entity<document_model> d;
    d.accepted(creation(document_access::none));
    d.accepted(share_document{ann, {id_of(51)}, false, document_access::read});
    BOOST_TEST(!has_key(d, "organization"));
    BOOST_TEST(!has_key(d, "organization,label=sums"));
    BOOST_TEST(has_key(d, "reader=" + ann.name));
    BOOST_TEST(has_key(d, "reader=" + bob.name));
    BOOST_TEST(has_key(d, "label=sums"));
    d.accepted(share_document{ann, {}, true, document_access::read});
    BOOST_TEST(has_key(d, "organization,label=sums"));
    BOOST_TEST(!has_key(d, "reader=" + ann.name));
    BOOST_TEST(d.document<document_document>().visibility == "organization");
    BOOST_TEST((d.refused(with_content(bob, content('b'))).code == code::forbidden));
}

BOOST_AUTO_TEST_CASE(sharing_has_a_bound) {
    entity<document_model> d;
    d.accepted(creation());
    share_document many{ann, {}, false, document_access::read};
    for (std::size_t i = 0; i <= document_shares_max; ++i) {
        many.user_ids.push_back(id_of(static_cast<std::uint8_t>(i)));
    }
    BOOST_TEST(d.refused(many).errors.front().pointer == "/user_ids");
    many.user_ids.pop_back();
    d.accepted(many);
    BOOST_TEST(d.accepted(many).empty());
}

BOOST_AUTO_TEST_CASE(titles_and_labels_are_lines) {
    entity<document_model> d;
    for (const auto* title : {"", "  ", "a\nb"}) {
        auto c = creation();
        c.title = title;
        BOOST_TEST(d.refused(c).errors.front().pointer == "/title");
    }
    for (const auto& labels : {std::vector<std::string>{""}, {std::string(101, 'x')}, {"a\tb"}, {"a", "a"}}) {
        auto c = creation();
        c.labels = labels;
        BOOST_TEST(d.refused(c).errors.front().pointer == "/labels/0");
    }
    auto c = creation();
    c.content.sha256 = "none";
    BOOST_TEST(d.refused(c).errors.front().pointer == "/content/sha256");
}

BOOST_AUTO_TEST_CASE(a_deleted_document_keeps_no_contents) {
    entity<document_model> d;
    d.accepted(creation());
    d.accepted(with_content(ann, content('b')));
    d.accepted(delete_document{ann});
    BOOST_TEST(d.accepted(delete_document{ann}).empty());
    BOOST_TEST(document_model::blobs(d.state()).empty());
    BOOST_TEST(document_model::items(d.state(), document_deleted{}, {id_of(1), 3, {}, ""}).size() == 2u);
    BOOST_TEST(!document_model::view(d.state(), {id_of(1), 3}).exists);
    BOOST_TEST((d.refused(with_content(ann, content('c'))).code == code::not_found));
    BOOST_TEST((d.refused(creation()).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(template_takes_its_values_once) {
    const auto filled = fill_template("{{a}} {{ b }} {{ }} {x} {{a", {{"a", "{{b}}"}, {"b", "2"}});
    BOOST_REQUIRE(filled);
    BOOST_TEST(*filled == "{{b}} 2 {{ }} {x} {{a");
    const auto missing = fill_template("{{a}} {{b}} {{a}}", {{"b", "2"}});
    BOOST_REQUIRE(!missing);
    BOOST_REQUIRE(missing.error().errors.size() == 1u);
    BOOST_TEST(missing.error().errors.front().pointer == "/values/a");
    std::string many;
    for (int i = 0; i < 200; ++i) {
        many += "{{a}}";
    }
    const auto long_one = fill_template(many, {{"a", std::string(10000, 'x')}});
    BOOST_TEST(long_one.error().errors.front().pointer == "/values");
}

BOOST_AUTO_TEST_SUITE_END()
