#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Full-text search: what is asked and what is answered.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(search_type, task, message, document, run, chat)

inline constexpr search_type search_types[] = {search_type::task, search_type::message, search_type::document,
                                               search_type::run, search_type::chat};

// ---- the question

inline constexpr std::size_t search_bytes_max = 1000;
inline constexpr std::size_t search_clauses_max = 32;
/// Beginnings of words are in the index by themselves.
inline constexpr std::size_t search_prefix_min = 3;
inline constexpr std::size_t search_prefix_max = 16;

enum class clause_kind : std::uint8_t { word, phrase, prefix };

/// A part of a question: all have to fit.
struct search_clause {
    clause_kind kind = clause_kind::word;
    std::string text;
    bool excluded = false;

    bool operator==(const search_clause&) const = default;
};

/// Reads `words "a phrase" -without begin*`. `invalid_request` names the place in the text. Pure.
expected<std::vector<search_clause>> parse_search(std::string_view text);

// ---- the answer

/// A text in pieces: those that fit are marked.
struct search_piece {
    std::string text;
    bool match = false;

    bool operator==(const search_piece&) const = default;
};
BOOST_DESCRIBE_STRUCT(search_piece, (), (text, match))

/// An item of GET /search, the best first.
struct search_item {
    search_type type = search_type::task;
    uuid id;
    std::optional<std::string> key; ///< Of a task: "TASK-017".
    std::string title;
    std::vector<search_piece> snippet;
    double score = 0; ///< Only good for comparing with others of the same question.
    std::optional<std::string> status;
    std::string author;
    std::optional<uuid> task_id; ///< That it belongs to.
    timestamp created_at;
    std::string url; ///< Where it is, under /api/v1.
};
BOOST_DESCRIBE_STRUCT(search_item, (), (type, id, key, title, snippet, score, status, author, task_id, created_at, url))

} // namespace troupe
