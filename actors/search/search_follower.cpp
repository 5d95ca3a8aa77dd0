#include "actors/search/search_desk.hpp"

#include "actors/common/message_ids.hpp"
#include "actors/common/messages.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"
#include "storage/audit.hpp"
#include "storage/key_store.hpp"
#include "storage/views.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <map>
#include <thread>
#include <utility>

// It follows the audit log, which names every record and is never cut; what a checkpoint of another node brings has its
// lines, too. What is noted of how far
// it came is never ahead of the indexes: after a kill some entities are put once more, and a text that is put twice is
// there once.

namespace troupe::actors {

/// DIR/search/position.json
struct search_position {
    std::uint32_t format = 0;
    uuid replica; ///< A restored directory is another one.
    std::vector<std::uint64_t> seqs;
    std::vector<timestamp> times;
};
BOOST_DESCRIBE_STRUCT(search_position, (), (format, replica, seqs, times))

namespace {

constexpr std::uint32_t format_now = 3; ///< Raised when texts are cut into words, or words hidden, another way.
constexpr std::chrono::milliseconds look_every{400};
constexpr std::chrono::seconds note_every{10};
constexpr std::size_t lines_max = 2000; ///< Of a shard in one round.
constexpr std::size_t open_max = 32;    ///< Indexes that are held open.
constexpr std::size_t texts_per_commit = 20'000;
constexpr std::size_t position_bytes_max = 1 << 20;
constexpr std::string_view whole = "whole"; ///< Noted in an index that has all there was when it was made.
constexpr std::string_view kinds[] = {"task", "message", "document", "run", "chat"};

} // namespace

struct search_follower::impl {
    explicit impl(search_desk& d) : desk(d), store(*d.services().store) {}

    search_desk& desk;
    storage::store& store;
    std::vector<storage::audit_mark> positions; ///< By shard.
    std::map<uuid, std::unique_ptr<storage::text_index>> open;
    std::size_t uncommitted = 0;
    bool moved = false; ///< Since it was noted.
    std::chrono::steady_clock::time_point noted{};
    std::size_t erased = 0; ///< Keys that were destroyed when it was looked last.
    bool failing = false;
    std::mutex mutex;
    std::condition_variable_any changed;
    std::jthread thread; // the last: it uses the others

    void work(const std::stop_token& stop) {
        constexpr int nice = 10; // whoever writes has the processor first: a busy node is found a little later
        ::setpriority(PRIO_PROCESS, 0, nice); // of this thread, on Linux; a failure leaves it as it was
        bool begun = false;
        while (!stop.stop_requested()) {
            const auto done = begun ? round(stop) : begin(stop);
            if (done) {
                begun = true;
                failing = false;
            } else if (done.error().code != code::cancelled) {
                open.clear();
                begun = false; // from what was noted
                if (!std::exchange(failing, true)) {
                    log_for("search").error("the search index does not follow: {}; it is tried until it does",
                                            done.error().detail);
                }
            }
            std::unique_lock lock(mutex);
            changed.wait_for(lock, stop, look_every, [] { return false; });
        }
        if (begun && commit()) {
            (void)note(true);
        }
    }

    // ---- where it is

    [[nodiscard]] std::filesystem::path position_file() const { return desk.folder() / "position.json"; }

    expected<void> begin(const std::stop_token& stop) {
        std::error_code failed;
        std::filesystem::create_directories(desk.folder(), failed);
        const auto text = read_whole_file(position_file(), position_bytes_max);
        auto known =
            text ? from_json<search_position>(*text, strictness::stored) : expected<search_position>(text.error());
        const auto shards = store.who().shards;
        positions.assign(shards, {});
        bool good = known && known->format == format_now && known->replica == store.who().replica &&
                    known->seqs.size() == shards && known->times.size() == shards;
        for (std::uint32_t shard = 0; good && shard < shards; ++shard) {
            positions[shard] = {known->seqs[shard], known->times[shard]};
            good = known->seqs[shard] <= store.applied(shard);
        }
        erased = store.keys() ? store.keys()->erased_count() : 0;
        return good ? check_all(stop) : start_anew(stop);
    }

    /// All there is now goes into new indexes; what comes meanwhile is looked at once more.
    expected<void> start_anew(const std::stop_token& stop) {
        open.clear();
        std::error_code failed;
        for (const auto& entry : std::filesystem::directory_iterator(desk.folder(), failed)) {
            std::filesystem::remove_all(entry.path(), failed);
        }
        for (std::uint32_t shard = 0; shard < positions.size(); ++shard) {
            const auto mark = storage::read_audit_mark(store, shard);
            if (!mark) {
                return mark.error();
            }
            positions[shard] = *mark;
        }
        moved = true;
        auto built = check_all(stop);
        return built ? note(true) : built;
    }

    /// Every organization has its index.
    expected<void> check_all(const std::stop_token& stop) {
        forget_erased_organizations();
        storage::list_query query;
        query.organization = system_organization;
        query.kind = "organization";
        query.limit = 200;
        std::set<uuid> all{store.who().default_organization};
        for (bool more = true; more;) {
            const auto page = storage::read_list(store, query);
            if (!page) {
                return page.error();
            }
            for (const auto& one : page->items) {
                all.insert(one.id);
            }
            more = page->next_cursor.has_value();
            query.cursor = page->next_cursor.value_or("");
        }
        for (const auto& organization : all) {
            if (const auto opened = index_of(organization, stop); !opened && opened.error().code != code::erased) {
                return opened.error();
            }
        }
        return {};
    }

    expected<void> note(bool now) {
        const auto at = std::chrono::steady_clock::now();
        if (!moved || (!now && at - noted < note_every)) {
            return {};
        }
        search_position p{format_now, store.who().replica, {}, {}};
        for (const auto& [seq, time] : positions) {
            p.seqs.push_back(seq);
            p.times.push_back(time);
        }
        noted = at;
        moved = false;
        return replace_file(position_file(), to_json(p), 0600);
    }

    // ---- indexes

    /// Opened; made of all there is when it is missing, damaged or half made. `erased`: there is none any more.
    expected<storage::text_index*> index_of(const uuid& organization, const std::stop_token& stop) {
        if (const auto found = open.find(organization); found != open.end()) {
            return found->second.get();
        }
        if (store.keys() && store.keys()->erased_at(organization)) {
            return problem{code::erased, "The organization was erased."};
        }
        if (open.size() >= open_max) {
            if (auto kept = commit(); !kept) {
                return kept.error();
            }
            open.clear();
        }
        auto hide = desk.hiding(organization, true);
        if (!hide) {
            return hide.error();
        }
        auto index = storage::text_index::open(desk.folder_of(organization), *hide);
        if (!index && index.error().code != code::journal_damaged) {
            return index.error();
        }
        const auto is_whole = index ? (*index)->noted(whole) : expected<std::string>(index.error());
        if (!is_whole || *is_whole != "yes") {
            return build(organization, stop);
        }
        return open.emplace(organization, std::move(*index)).first->second.get();
    }

    expected<storage::text_index*> build(const uuid& organization, const std::stop_token& stop) {
        const auto began = std::chrono::steady_clock::now();
        open.erase(organization);
        remove_folder(organization);
        auto hide = desk.hiding(organization, true);
        auto index = hide ? storage::text_index::open(desk.folder_of(organization), *hide)
                          : expected<std::unique_ptr<storage::text_index>>(hide.error());
        if (!index) {
            return index.error();
        }
        auto& me = *open.emplace(organization, std::move(*index)).first->second;
        std::size_t texts = 0;
        for (const auto type : {search_type::task, search_type::document, search_type::run, search_type::chat}) {
            storage::list_query query;
            query.organization = organization;
            query.kind = std::string(detail::enum_name(type));
            query.limit = 200;
            query.descending = false;
            for (bool more = true; more;) {
                const auto page = storage::read_list(store, query);
                if (!page) {
                    return page.error();
                }
                for (const auto& one : page->items) {
                    const auto done = stop.stop_requested() ? problem{code::cancelled, "The node stops."}
                                                            : refresh(me, organization, type, one.id, true);
                    if (!done) {
                        open.erase(organization);
                        return done.error();
                    }
                    texts += *done;
                }
                more = page->next_cursor.has_value();
                query.cursor = page->next_cursor.value_or("");
            }
        }
        auto kept = me.note(whole, "yes");
        kept = kept ? me.commit() : kept;
        if (!kept) {
            open.erase(organization);
            return kept.error();
        }
        const auto took = std::chrono::steady_clock::now() - began;
        log_for("search").info("the search index of organization {} was made: {} texts in {} ms",
                               to_string(organization), texts,
                               std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
        return &me;
    }

    /// Puts or removes what an entity has to be found by; returns how many texts. `all`: of a task also the messages
    /// that are in the index already.
    expected<std::size_t> refresh(storage::text_index& index, const uuid& organization, search_type type,
                                  const uuid& id, bool all = false) {
        auto found = read_text(store, organization, type, id);
        if (!found && found.error().code != code::not_found && found.error().code != code::erased) {
            return found.error();
        }
        const bool there = found && *found;
        auto done = there ? index.put((*found)->text) : index.remove(text_id(type, id));
        std::size_t texts = there ? 1 : 0;
        if (done && type == search_type::task) {
            if (there) {
                const auto said = refresh_messages(index, organization, id, all);
                done = said ? done : said.error();
                texts += said ? *said : 0;
            } else {
                done = index.remove_all(messages_filter(id));
            }
        }
        uncommitted += texts;
        if (done && uncommitted >= texts_per_commit) {
            uncommitted = 0;
            done = index.commit();
        }
        return done ? expected<std::size_t>(texts) : done.error();
    }

    /// They come one after the other and stay: from the newest back to the first that is known.
    expected<std::size_t> refresh_messages(storage::text_index& index, const uuid& organization, const uuid& task,
                                           bool all) {
        const std::size_t page_max = all ? 200 : 10; // mostly nothing or one is new
        storage::item_query query{{organization, "task", task}, std::string(messages_collection), !all, page_max, {}};
        std::size_t texts = 0;
        for (;;) {
            const auto page = storage::read_items(store, query);
            if (!page) {
                return page.error();
            }
            for (const auto& json : page->items) {
                auto said = from_json<message_document>(json, strictness::stored);
                const auto known = !said ? expected<bool>(said.error())
                                   : all ? expected<bool>(false)
                                         : index.has(text_id(search_type::message, said->id));
                if (!known) {
                    return known.error();
                }
                if (*known) {
                    return texts;
                }
                const auto now = as_it_is_now(store, organization, std::move(*said));
                const auto text = now ? text_of(*now) : std::nullopt;
                const auto put = !now ? now.error() : text ? index.put(text->text) : expected<void>();
                if (!put) {
                    return put.error();
                }
                ++texts;
            }
            if (!page->next_cursor) {
                return texts;
            }
            query.cursor = *page->next_cursor;
        }
    }

    expected<void> commit() {
        uncommitted = 0;
        for (auto one = open.begin(); one != open.end();) {
            auto done = one->second->commit();
            if (!done && done.error().code != code::journal_damaged) {
                return done;
            }
            const auto organization = one->first;
            one = done ? std::next(one) : open.erase(one);
            if (!done) { // removed at once: also after a kill it is made again
                remove_folder(organization);
                desk.ask_rebuild(organization);
            }
        }
        return {};
    }

    void remove_folder(const uuid& organization) {
        std::error_code failed;
        std::filesystem::remove_all(desk.folder_of(organization), failed);
    }

    /// With its key an organization loses its index.
    void forget_erased_organizations() {
        std::error_code failed;
        for (const auto& entry : std::filesystem::directory_iterator(desk.folder(), failed)) {
            const auto organization = parse_uuid(entry.path().filename().string());
            if (organization && store.keys() && store.keys()->erased_at(*organization)) {
                open.erase(*organization);
                std::filesystem::remove_all(entry.path(), failed);
            }
        }
    }

    // ---- what changed

    expected<void> round(const std::stop_token& stop) {
        if (const auto now = store.keys() ? store.keys()->erased_count() : 0; now != erased) {
            forget_erased_organizations();
            erased = now;
        }
        for (const auto& organization : desk.take_rebuilds()) {
            if (const auto built = build(organization, stop); !built && built.error().code != code::erased) {
                return built.error();
            }
        }
        for (bool more = true; more && !stop.stop_requested();) {
            std::set<entity_address> changed_ones;
            const auto read = read_lines(changed_ones);
            auto done = read ? expected<void>() : expected<void>(read.error());
            for (auto one = changed_ones.begin(); done && one != changed_ones.end(); ++one) {
                done = follow(*one, stop);
            }
            done = done && !changed_ones.empty() ? commit() : done;
            if (!done) {
                return done;
            }
            more = *read;
        }
        return note(false);
    }

    /// True: there may be more.
    expected<bool> read_lines(std::set<entity_address>& out) {
        bool more = false;
        for (std::uint32_t shard = 0; shard < positions.size(); ++shard) {
            auto& at = positions[shard];
            if (store.applied(shard) <= at.seq) {
                continue;
            }
            const auto lines = storage::read_audit_after(store, shard, at, lines_max);
            if (!lines) {
                return lines.error();
            }
            more = more || lines->size() == lines_max;
            for (const auto& line : *lines) {
                at = {line.seq, line.time};
                moved = true;
                if (std::ranges::find(kinds, line.entity.kind) != std::end(kinds)) {
                    out.insert(line.entity);
                }
            }
        }
        return more;
    }

    expected<void> follow(const entity_address& a, const std::stop_token& stop) {
        const auto index = index_of(a.organization, stop);
        if (!index) {
            return index.error().code == code::erased ? expected<void>() : expected<void>(index.error());
        }
        for (const auto type : search_types) {
            if (a.kind == detail::enum_name(type)) {
                const auto done = refresh(**index, a.organization, type, a.id);
                if (!done && done.error().code == code::journal_damaged &&
                    !read_text(store, a.organization, type, a.id)) {
                    return {}; // the entity is what is damaged: others go on
                }
                if (!done && done.error().code == code::journal_damaged) {
                    const auto built = build(a.organization, stop);
                    return built ? expected<void>() : expected<void>(built.error());
                }
                return done ? expected<void>() : expected<void>(done.error());
            }
        }
        return {};
    }
};

search_follower::search_follower(search_desk& desk) : impl_(std::make_unique<impl>(desk)) {
    impl_->thread = std::jthread([me = impl_.get()](const std::stop_token& stop) { me->work(stop); });
}

search_follower::~search_follower() {
    impl_->thread.request_stop();
    impl_->thread.join();
}

} // namespace troupe::actors
