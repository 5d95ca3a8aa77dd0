#include "actors/secret/secret_routes.hpp"

#include "actors/secret/secret_vault.hpp"
#include "runtime/entity/offline.hpp"
#include "schemas/base/durable_file.hpp"
#include "storage/key_store.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "tests/actors/mini_node.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using enum troupe::net::verb;

namespace {

const std::string value = "hunter2-and-more";

/// A performance whose questions are answered by the node.
class performing final : public runtime::effect_context {
public:
    performing(mini_node& node, entity_address self) : node_(node), self_(std::move(self)) {}
    [[nodiscard]] const entity_address& self() const override { return self_; }
    [[nodiscard]] std::stop_token stop() const override { return stop_.get_token(); }
    void publish(std::string_view, std::string_view, std::string) override {}
    runtime::reply ask(runtime::command c) override {
        if (asks_left-- == 0) {
            stop_.request_stop();
        }
        return node_.decide(c);
    }
    runtime::reply tell_self(runtime::self_command) override { return problem{code::internal, "not expected"}; }
    int asks_left = -1;

private:
    mini_node& node_;
    entity_address self_;
    std::stop_source stop_;
};

struct secrets : mini_node {
    secrets() {
        host<secret_model>();
        host<keyring_model>();
        services.submit = [this, plain = services.submit](runtime::command c, runtime::reply_port port) {
            submitted.push_back(c);
            if (before_submit) {
                std::exchange(before_submit, nullptr)();
            }
            plain(std::move(c), std::move(port));
        };
        settings.data = folder.path.string();
        open_vault();
        serve(secret_routes(services, *vault));
    }

    void open_vault() {
        vault.reset();
        auto opened = secret_vault::open(services, settings);
        BOOST_REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().detail));
        vault = std::move(*opened);
    }
    problem refused_vault() {
        const auto opened = secret_vault::open(services, settings);
        BOOST_REQUIRE(!opened);
        BOOST_TEST((opened.error().code == code::secrets_locked));
        return opened.error();
    }

    secret_document set(const std::string& name, const std::string& to,
                        std::map<std::string, std::string> headers = {}) {
        const auto r = call(put, "/secrets/" + name, to_json(set_secret_body{to}), std::move(headers));
        BOOST_REQUIRE_MESSAGE(r.status == 200, r.body);
        return from_json<secret_document>(r.body, strictness::input).value();
    }
    std::string revealed(const std::string& name) { return revealed(name, organization); }
    std::string revealed(const std::string& name, const uuid& of) {
        const auto found = vault->reveal(of, name);
        return found ? *found : "! " + found.error().detail;
    }
    keyring_state ring() { return vault->keyring(organization).value().value(); }

    /// The performer's work, as the host would do it; whether it came to its end.
    bool perform_rotation(int asks = -1) {
        performing context(*this, keyring_address(organization));
        context.asks_left = asks;
        const auto made = make_keyring_performer(*vault, services)({}, ring(), context);
        for (const auto& c : made) {
            BOOST_REQUIRE(decide(command(keyring_address(organization), c.type, c.payload)));
        }
        return !made.empty();
    }

    std::vector<storage::record> journal() {
        std::vector<storage::record> out;
        for (std::uint32_t shard = 0; shard < services.store->who().shards; ++shard) {
            BOOST_REQUIRE(storage::read_log(*services.store, shard, 0, [&](storage::record&& r) {
                out.push_back(std::move(r));
                return true;
            }));
        }
        return out;
    }

    troupe::test::temporary_directory folder;
    runtime::config settings;
    std::unique_ptr<secret_vault> vault;
    std::vector<runtime::command> submitted;
    std::function<void()> before_submit;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(secret_routes_and_vault, secrets)

BOOST_AUTO_TEST_CASE(a_secret_is_set_listed_and_deleted_and_only_the_node_learns_its_value) {
    BOOST_TEST(set("OPENAI", value).version == 1U);
    BOOST_TEST(set("OPENAI", value + "2").version == 2U);
    set("other", "x");
    BOOST_TEST(revealed("OPENAI") == value + "2");
    std::string shown = call(get, "/secrets").body + call(get, "/secrets/OPENAI").body + call(get, "/secret-keys").body;
    BOOST_TEST(shown.find("hunter2") == std::string::npos);
    BOOST_TEST(shown.find("s1.") == std::string::npos); // nor the ciphertext
    BOOST_TEST(shown.find("OPENAI") != std::string::npos);
    BOOST_TEST(call(del, "/secrets/OPENAI").status == 204);
    BOOST_TEST(call(get, "/secrets/OPENAI").status == 404);
    BOOST_TEST(call(del, "/secrets/OPENAI").status == 404);
    BOOST_TEST(revealed("OPENAI").find("there is no secret 'OPENAI'") != std::string::npos);
    BOOST_TEST(set("OPENAI", value).version == 3U); // versions go on
    BOOST_TEST(revealed("OPENAI") == value);
    BOOST_TEST(revealed("other") == "x");
}

BOOST_AUTO_TEST_CASE(commands_and_the_journal_hold_ciphertext_only) {
    set("OPENAI", value, {{"idempotency-key", "k"}});
    for (const auto& c : submitted) {
        BOOST_TEST(c.payload.find("hunter2") == std::string::npos, c.type);
    }
    const auto records = journal();
    BOOST_TEST(records.size() >= 2U);
    for (const auto& r : records) {
        BOOST_TEST(r.payload.find("hunter2") == std::string::npos, r.type);
    }
}

BOOST_AUTO_TEST_CASE(the_hash_of_a_request_is_keyed_so_that_nobody_can_try_values) {
    set("a", value, {{"idempotency-key", "k"}});
    const auto first = submitted.back();
    set("a", value, {{"idempotency-key", "k"}});
    const auto repeat = submitted.back();
    set("a", "other", {{"idempotency-key", "k"}});
    const auto other = submitted.back();
    BOOST_TEST(first.id == repeat.id);
    BOOST_TEST(first.request_hash == repeat.request_hash); // although it was encrypted anew
    BOOST_TEST(first.request_hash != other.request_hash);
    BOOST_TEST(first.request_hash != 0U);
    // Another directory has another key: the same request hashes differently.
    secrets elsewhere;
    elsewhere.set("a", value, {{"idempotency-key", "k"}});
    BOOST_TEST(elsewhere.submitted.back().request_hash != first.request_hash);
}

BOOST_AUTO_TEST_CASE(who_sets_a_secret_at_the_same_moment_as_another_gets_through_after_it) {
    set("a", "first");
    before_submit = [this] { set("a", "second"); };
    BOOST_TEST(set("a", "third").version == 3U);
    BOOST_TEST(revealed("a") == "third");
    secrets fresh; // also for the keys of the first secret
    fresh.before_submit = [&fresh] { fresh.set("a", "first"); };
    BOOST_TEST(fresh.set("a", "second").version == 2U);
    BOOST_TEST(fresh.revealed("a") == "second");
    BOOST_TEST(fresh.ring().keys.size() == 2U);
}

BOOST_AUTO_TEST_CASE(bad_names_and_values_are_refused_without_being_repeated) {
    BOOST_TEST(call(put, "/secrets/-a", R"({"value":"hunter2"})").status == 422);
    BOOST_TEST(call(get, "/secrets/-a").status == 404);
    for (const auto& body :
         {std::string(R"({"value":""})"), std::string("{}"), std::string(R"({"value":["hunter2"]})"),
          std::string(R"({"value":"hunter2","values":"hunter2"})"), std::string(R"({"value":"hunter2)"),
          R"({"value":")" + std::string(secret_value_bytes_max + 1, 'x') + R"("})"}) {
        const auto r = call(put, "/secrets/a", body);
        BOOST_TEST(r.status >= 400);
        BOOST_TEST(r.body.find("hunter2") == std::string::npos, r.body);
    }
    BOOST_TEST(journal().empty());
    const std::string largest(secret_value_bytes_max, 'x');
    set("a", largest);
    BOOST_TEST((revealed("a") == largest));
}

BOOST_AUTO_TEST_CASE(a_ciphertext_in_the_place_of_another_is_refused) {
    set("a", "of a");
    set("b", "of b");
    set("a", "of a again");
    const auto row = [&](const std::string& name) {
        const auto address = secret_address(organization, name);
        return storage::keys::item(services.store->shard_of(address), address, sealed_collection, sealed_key);
    };
    const auto of_a = to_json(vault->sealed(organization, "a").value());
    const auto before = to_json(vault->sealed(organization, "b").value());
    BOOST_REQUIRE(storage::write_view_rows(*services.store, {{{row("b"), of_a}}, {}}));
    BOOST_TEST(revealed("b").find("belongs to another secret") != std::string::npos, revealed("b"));
    BOOST_REQUIRE(storage::write_view_rows(*services.store, {{{row("b"), before}}, {}}));
    BOOST_TEST(revealed("b") == "of b");
    auto older = vault->sealed(organization, "a").value();
    older.version = 1; // the same ciphertext as if it were the first
    BOOST_REQUIRE(storage::write_view_rows(*services.store, {{{row("a"), to_json(older)}}, {}}));
    BOOST_TEST(revealed("a").find("cannot be opened") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_rotation_encrypts_everything_anew_and_goes_on_where_it_was_cut_off) {
    for (int i = 0; i < 5; ++i) {
        set("s" + std::to_string(i), "value " + std::to_string(i));
    }
    BOOST_TEST(call(post, "/secret-keys/rotate", "{}").status == 200);
    BOOST_TEST(ring().rotating());
    set("late", "under the new key");
    BOOST_TEST(!perform_rotation(2)); // killed on the way
    BOOST_TEST(ring().rotating());
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST(revealed("s" + std::to_string(i)) == "value " + std::to_string(i));
    }
    BOOST_TEST(perform_rotation());
    BOOST_TEST(!ring().rotating());
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST(revealed("s" + std::to_string(i)) == "value " + std::to_string(i));
        const auto sealed = vault->sealed(organization, "s" + std::to_string(i)).value();
        BOOST_TEST(data_key_of(sealed.sealed).value() == 2U);
        BOOST_TEST(sealed.version == 1U);
    }
    BOOST_TEST(revealed("late") == "under the new key");
    BOOST_TEST(vault->describe(organization)->key == 2U);
}

BOOST_AUTO_TEST_CASE(without_a_secret_there_is_no_key_to_rotate) {
    BOOST_TEST(call(post, "/secret-keys/rotate", "{}").status == 404);
    BOOST_TEST(vault->describe(organization)->key == 0U);
    BOOST_TEST(journal().empty());
}

BOOST_AUTO_TEST_CASE(the_key_file_is_made_once_and_for_its_owner_alone) {
    const auto file = folder.path / "secrets.key";
    BOOST_TEST((std::filesystem::status(file).permissions() ==
                (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)));
    const auto before = read_whole_file(file, 4096).value();
    open_vault();
    BOOST_TEST((read_whole_file(file, 4096).value() == before));
    BOOST_TEST((make_key_file(file).error().code == code::already_exists));
    BOOST_TEST((read_whole_file(file, 4096).value() == before));
}

BOOST_AUTO_TEST_CASE(without_the_right_master_key_the_vault_says_which_one_it_needs_and_changes_nothing) {
    set("a", value);
    const auto needed = ring().keys.back().master;
    const auto file = folder.path / "secrets.key";
    const auto kept = read_whole_file(file, 4096).value();
    const auto records = journal().size();

    std::filesystem::remove(file);
    BOOST_TEST(refused_vault().detail.find(needed) != std::string::npos, refused_vault().detail);
    BOOST_TEST(!std::filesystem::exists(file)); // none is made over secrets that need another

    settings.secrets_key = make_master_key();
    BOOST_TEST(refused_vault().detail.find(needed) != std::string::npos, refused_vault().detail);
    BOOST_TEST(refused_vault().detail.find(settings.secrets_key) == std::string::npos);
    BOOST_TEST(!std::filesystem::exists(file));

    settings.secrets_key = kept.substr(0, kept.find(' '));
    open_vault();
    BOOST_TEST(revealed("a") == value);
    settings.secrets_key_file = file.string();
    BOOST_TEST((secret_vault::open(services, settings).error().code == code::config_invalid)); // two sources
    settings.secrets_key.clear();
    BOOST_TEST((secret_vault::open(services, settings).error().code == code::not_found)); // a named file is not made
    BOOST_TEST(journal().size() == records);
}

BOOST_AUTO_TEST_CASE(a_new_master_key_wraps_everything_and_the_old_one_is_needed_no_more) {
    set("a", value);
    const auto old_key = read_whole_file(folder.path / "secrets.key", 4096).value();
    const auto old_id = ring().keys.back().master;
    expected<void> done = problem{code::internal, "not called"};
    vault->rotate_master([&](const expected<void>& r) { done = r; });
    vault->wait();
    BOOST_REQUIRE_MESSAGE(done, (done ? "" : done.error().detail));
    BOOST_TEST(revealed("a") == value);
    BOOST_TEST(ring().keys.front().master != old_id);
    BOOST_TEST(ring().keys.back().master != old_id);
    BOOST_TEST(!vault->describe(organization)->rewrapping);

    const auto file = read_whole_file(folder.path / "secrets.key", 4096).value();
    BOOST_TEST(file.ends_with(old_key)); // stays for backups of before
    BOOST_REQUIRE(replace_file(folder.path / "secrets.key", file.substr(0, file.size() - old_key.size()), 0600));
    open_vault();
    BOOST_TEST(revealed("a") == value);
    BOOST_REQUIRE(replace_file(folder.path / "secrets.key", old_key, 0600));
    BOOST_TEST(refused_vault().detail.find(ring().keys.back().master) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_of_a_cluster_makes_no_master_key_of_its_own) {
    set("a", value);
    struct silent_agreement final : storage::key_agreement {
        expected<void> issue(const uuid&) override { return {}; }
        expected<void> destroy(const uuid&, timestamp) override { return {}; }
        void await(std::uint32_t) override {}
    } others;
    const auto before = read_whole_file(folder.path / "secrets.key", 4096).value();
    services.store->keys()->agree_with(&others);
    for (int i = 0; i < 2; ++i) {
        expected<void> done;
        vault->rotate_master([&](const expected<void>& r) { done = r; });
        vault->wait();
        BOOST_REQUIRE(done.has_error());
        BOOST_TEST((done.error().code == code::conflict));
        BOOST_TEST(done.error().detail.find("cluster") != std::string::npos);
    }
    BOOST_TEST(read_whole_file(folder.path / "secrets.key", 4096).value() == before);
    services.store->keys()->agree_with(nullptr);
}

BOOST_AUTO_TEST_CASE(a_key_from_the_environment_is_rotated_by_who_gives_it) {
    set("a", value);
    const auto old = read_whole_file(folder.path / "secrets.key", 4096).value().substr(0, 43);
    settings.secrets_key = old;
    open_vault();
    expected<void> done;
    vault->rotate_master([&](const expected<void>& r) { done = r; });
    vault->wait();
    BOOST_TEST((done.error().code == code::conflict));
    settings.secrets_key = make_master_key() + "," + old;
    open_vault();
    BOOST_TEST(vault->describe(organization)->rewrapping);
    BOOST_TEST(vault->rewrap_all().value() == 1U);
    BOOST_TEST(!vault->describe(organization)->rewrapping);
    settings.secrets_key.resize(43); // the new one alone
    open_vault();
    BOOST_TEST(revealed("a") == value);
}

BOOST_AUTO_TEST_CASE(an_offline_rotation_that_was_cut_off_loses_nothing_and_is_finished_by_a_repeat) {
    const auto text = read_whole_file(folder.path / "secrets.key", 4096).value();
    const auto old = master_keys::parse(text, "old").value();
    const std::vector<uuid> all{organization, make_uuid(), make_uuid()};
    for (const auto& each : all) {
        BOOST_REQUIRE(decide(command(keyring_address(each), std::string(wire_name<add_data_keys>::value),
                                     to_json(add_data_keys{vault->make_keys(each, 0, 2)}))));
    }
    set("a", value);
    const auto both = master_keys::parse(make_master_key(), "new").value().with(old);
    {
        const auto committer = storage::committer::open(*services.store, 0).value(); // one keyring, then a kill
        auto c = command(keyring_address(all[1]), std::string(wire_name<rewrap_data_keys>::value),
                         to_json(rewrapped(both, vault->keyring(all[1]).value().value()).value().value()));
        BOOST_REQUIRE(runtime::decide_offline(*services.store, *committer, runtime::make_kind<keyring_model>(), c));
    }
    BOOST_TEST(refused_vault().detail.find(both.current().id) != std::string::npos); // the old key alone
    BOOST_TEST(revealed("a") == value);
    BOOST_TEST(rewrap_offline(*services.store, both).value() == 2U);
    BOOST_TEST(rewrap_offline(*services.store, both).value() == 0U); // a repeat changes nothing
    for (const auto& each : all) {
        const keyring_state keys_now = vault->keyring(each).value().value();
        for (const auto& key : keys_now.keys) {
            BOOST_TEST(key.master == both.current().id);
            BOOST_TEST(!!unwrap_key(both, each, key));
        }
    }
    const auto whole = storage::verify_journal(*services.store, [](std::uint64_t) {});
    BOOST_TEST(!whole.first_bad.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
