#pragma once

#include "runtime/entity/kind.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"
#include "tests/runtime/simulation_model.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::test {

/// What became of a client's operation, as the client knows it.
enum class fate { open, done, refused, set_aside };

/// One command of a client, with all that it was told about it.
struct client_operation {
    std::int64_t number = 0; ///< Its events carry it.
    uuid entity;
    std::string type;
    std::string payload;
    bool keyed = false;  ///< Has a key, and may be sent again.
    bool refuse = false; ///< The model will.
    std::int64_t parts = 1;
    std::optional<std::uint64_t> if_match;
    fate became = fate::open;
    std::uint64_t version = 0; ///< Of the answer, and the document.
    std::string document;
    int sent = 0;
    int waiting = 0;          ///< Answers that are still to come in this life of the node.
    bool maybe = false;       ///< The client cannot know: an answer was lost with a life of the node.
    std::uint64_t life = 0;   ///< In which it was sent first.
    bool in_one_piece = true; ///< Sent once and answered in the same life: its place among others is certain.
};

/// The number of the reminder or the work whose command this record set aside.
std::optional<std::int64_t> number_set_aside(const storage::record& r);

/// Remembers all that anybody was told or shown, and compares it with what a journal holds.
class simulation_checker {
public:
    void committed(const storage::record& r);
    void shown(const uuid& entity, std::uint64_t version, std::string document);

    /// A performer begins that work: for which time, is returned. Only what is on disk and was not over when this life
    /// of the node began may be performed.
    std::int64_t begins(std::int64_t number);
    /// Somebody sets the node's clock, which shows `now`: a timer that is due now may be recorded at an earlier time.
    void sets_clock(timestamp now);
    /// Whether the command of that reminder, or the outcome of that work, was found to be poison: it never ends.
    [[nodiscard]] bool is_set_aside(std::int64_t number) const { return set_aside_.contains(number); }

    /// Looks through an open store that nobody writes. `settled`: nothing may be owed any more.
    /// The first thing that is wrong, or nothing.
    std::optional<std::string> check(storage::store& s, const runtime::kind_registry& kinds,
                                     const std::vector<client_operation>& operations, bool settled);

private:
    struct place {
        uuid entity;
        std::uint64_t version = 0;
        timestamp time;
    };
    struct sending {
        place at;
        telling_other what;
    };
    struct reminding {
        place at;
        timestamp due;
        bool explode = false;
    };
    struct facts {
        std::map<std::int64_t, std::vector<std::pair<place, noted>>> notes;
        std::map<std::int64_t, sending> sent;
        std::map<std::int64_t, place> heard;
        std::map<std::int64_t, bool> answered;
        std::map<std::int64_t, reminding> reminders;
        std::map<std::int64_t, place> rang;
        std::map<std::int64_t, std::pair<place, performing>> works;
        std::map<std::int64_t, std::vector<std::pair<place, performed>>> outcomes;
        std::map<std::int64_t, place> cancels;     ///< By the number of the work.
        std::map<std::int64_t, place> cancellings; ///< By their own.
        std::map<std::int64_t, place> set_aside;   ///< Reminders and works whose command was poison.
    };

    void read_logs(const storage::store& s);
    void read_histories(const storage::store& s, const runtime::kind_registry& kinds);
    void take(const storage::record& r);
    void check_tables(storage::store& s, const runtime::kind_registry& kinds);
    void check_shown();
    void check_operation(const client_operation& o);
    void check_order(const std::vector<client_operation>& operations);
    void check_outbox(bool settled);
    void check_timers(bool settled);
    void check_works(bool settled);
    void wrong(std::string what);
    void wrong_unless(bool right, std::int64_t number, const char* what);

    std::map<std::pair<std::uint32_t, std::uint64_t>, std::string> told_; ///< Records by shard and seq.
    std::map<std::pair<std::uint32_t, std::uint64_t>, storage::record>
        kept_;                         ///< All that the logs ever held, also what retention took out since.
    std::set<std::int64_t> set_aside_; ///< Also those whose record retention took out since; so are the following.
    std::map<std::int64_t, timestamp> waiting_reminders_; ///< With the latest time that the clock was set away from.
    std::set<std::int64_t> owed_works_;                   ///< On disk.
    std::set<std::int64_t> ended_works_;                  ///< As this life of the node found them.
    std::map<std::int64_t, std::int64_t> attempts_;       ///< Of works.
    std::map<std::pair<uuid, std::uint64_t>, std::string> shown_; ///< Documents by entity and version.
    std::map<uuid, std::vector<storage::record>> histories_;
    std::map<std::pair<uuid, std::uint64_t>, std::string> documents_; ///< As the histories make them.
    facts facts_;
    std::optional<std::string> wrong_;
};

} // namespace troupe::test
