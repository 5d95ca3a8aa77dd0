#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"

#include <cstddef>
#include <string>
#include <vector>

/// What agents remember from run to run: notes, each under a key.
namespace troupe {

inline constexpr std::size_t memory_notes_max = 200;
inline constexpr std::size_t note_bytes_max = 4'000;
inline constexpr std::size_t note_key_bytes_max = 100;

/// PUT /agents/{id}/memory/{note}
struct note_body {
    std::string text;
    static constexpr field_rule rules[] = {{.name = "text",
                                            .required = true,
                                            .min = 1,
                                            .max = note_bytes_max,
                                            .doc = "What is to be remembered.",
                                            .example = "\"The tests need a running database.\""}};
};
BOOST_DESCRIBE_STRUCT(note_body, (), (text))

/// A part of GET /agents/{id}/memory.
struct memory_note {
    std::string key;
    std::string text;
    std::string updated_by;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(memory_note, (), (key, text, updated_by, updated_at))

/// GET /agents/{id}/memory
struct memory_document {
    std::vector<memory_note> notes; ///< By their keys.
};
BOOST_DESCRIBE_STRUCT(memory_document, (), (notes))

} // namespace troupe
