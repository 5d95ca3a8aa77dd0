#include "actors/common/media_type.hpp"
#include "actors/task/task_model.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

// Files of tasks, and dates that are taken back.
using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const std::string hash(64, 'a');

attach_file file(std::string name, std::uint64_t bytes = 3) {
    return {std::move(name), "text/plain; charset=utf-8", bytes, hash};
}

entity<task_model> a_task() {
    create_task made;
    made.title = "t";
    entity<task_model> out;
    BOOST_REQUIRE(out.when(made));
    return out;
}

std::vector<std::uint64_t> numbers(const task_state& s) {
    std::vector<std::uint64_t> out;
    for (const auto& a : s.attachments) {
        out.push_back(a.number);
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(task_attachments)

BOOST_AUTO_TEST_CASE(numbers_are_never_given_again) {
    auto task = a_task();
    for (const auto* name : {"a", "b"}) {
        BOOST_REQUIRE(task.when(file(name)));
    }
    BOOST_REQUIRE(task.when(remove_attachment{2}));
    BOOST_REQUIRE(task.when(file("c")));
    BOOST_TEST(numbers(task.state()) == (std::vector<std::uint64_t>{1, 3}), boost::test_tools::per_element());
    const auto again = task.when(remove_attachment{2});
    BOOST_REQUIRE(!again);
    BOOST_TEST(int(again.error().code) == int(code::not_found));
}

BOOST_AUTO_TEST_CASE(contents_are_named_and_counted_until_the_task_goes) {
    auto task = a_task();
    BOOST_REQUIRE(task.when(file("a", 10)));
    BOOST_REQUIRE(task.when(file("b", 5)));
    BOOST_TEST(task_model::blobs(task.state()).size() == 2U);
    BOOST_TEST(task_model::holds(task.state()).front().amount == 15);
    BOOST_REQUIRE(task.when(delete_task{}));
    BOOST_TEST(task_model::blobs(task.state()).empty());
    BOOST_TEST(task_model::holds(task.state()).empty());
}

BOOST_AUTO_TEST_CASE(there_is_a_limit_and_hashes_are_checked) {
    auto task = a_task();
    auto wrong = file("a");
    wrong.sha256 = "../../etc/passwd";
    BOOST_TEST(!task.when(wrong));
    for (std::size_t i = 0; i < attachments_max; ++i) {
        BOOST_REQUIRE(task.when(file("a")));
    }
    const auto more = task.when(file("a"));
    BOOST_REQUIRE(!more);
    BOOST_TEST(int(more.error().code) == int(code::conflict));
}

BOOST_AUTO_TEST_CASE(messages_name_files_of_their_task_only) {
    auto task = a_task();
    BOOST_REQUIRE(task.when(file("a")));
    add_message said;
    said.content = "see";
    said.attachments = {1};
    const auto done = task.when(said);
    BOOST_REQUIRE(done);
    BOOST_TEST(std::get<message_added>(done->front()).attachments.front().name == "a");
    for (const auto& wrong : {std::vector<std::uint64_t>{2}, std::vector<std::uint64_t>{1, 1}}) {
        said.attachments = wrong;
        const auto refused = task.when(said);
        BOOST_REQUIRE(!refused);
        BOOST_TEST(refused.error().errors.front().pointer.starts_with("/attachments/"));
    }
}

BOOST_AUTO_TEST_CASE(a_date_can_be_taken_back) {
    auto task = a_task();
    update_task change;
    change.due = timestamp{1000};
    BOOST_REQUIRE(task.when(change));
    BOOST_TEST(task.state().due.has_value());
    update_task back;
    back.no_due = true;
    BOOST_REQUIRE(task.when(back));
    BOOST_TEST(!task.state().due);
    BOOST_TEST(task.when(back)->empty()); // nothing is left to change
}

BOOST_AUTO_TEST_CASE(types_are_what_the_first_bytes_say) {
    using namespace std::string_view_literals;
    BOOST_TEST(media_type_of("\x89PNG\r\n\x1a\n..."sv) == "image/png");
    BOOST_TEST(media_type_of("%PDF-1.7") == "application/pdf");
    BOOST_TEST(media_type_of("<html><script>alert(1)</script>") == "text/plain; charset=utf-8");
    BOOST_TEST(media_type_of("<svg onload='x'>") == "text/plain; charset=utf-8");
    BOOST_TEST(media_type_of("\x7f"
                             "ELF\0\1"sv) == "application/octet-stream");
    BOOST_TEST(media_type_of("gr\xfc\xdf") == "application/octet-stream"); // Latin-1
    BOOST_TEST(media_type_of(std::string(media_type_bytes - 1, 'a') + "\xc3") == "text/plain; charset=utf-8"); // cut
    BOOST_TEST(media_type_of("") == "text/plain; charset=utf-8");
}

BOOST_AUTO_TEST_SUITE_END()
