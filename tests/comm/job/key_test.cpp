#include "weft/comm/job/key.hpp"

#include <doctest/doctest.h>

#include <set>

using weft::job::hex;
using weft::job::Key;

TEST_CASE("Key: proofs are HMAC-SHA256, as Python's hmac computes it") {
  const Key key("secret", "name");
  CHECK(key.hex_text() == "cbe476a7672692b8d1e733aa8b602743702edeab6feb03a1158d34b81782cc39");
  CHECK(hex(key.proof("purpose", {"one", ""})) ==
        "78569cbb917463b444efb0225cd8c605dda512b5d009966e4659389df1046516");
}

TEST_CASE("Key: no two purposes, parts, secrets or names have the same proof") {
  const Key key("secret", "name");
  const std::set<std::string> proofs{key.proof("ab", {}),
                                     key.proof("a", {"b"}),
                                     key.proof("a", {"b", ""}),
                                     key.proof("a", {"", "b"}),
                                     key.proof("", {"a", "b"}),
                                     Key("secret2", "name").proof("ab", {}),
                                     Key("secret", "").proof("ab", {}),
                                     Key("", "name").proof("ab", {})};
  CHECK(proofs.size() == 8);
}

TEST_CASE("Key: its text can be parsed, and nothing else can") {
  const Key key = Key::random();
  CHECK(Key::from_hex(key.hex_text())->hex_text() == key.hex_text());
  CHECK(Key::random().hex_text() != key.hex_text());
  for (const std::string& text :
       {std::string(), key.hex_text() + "00", key.hex_text().substr(2), std::string(64, 'g')})
    CHECK_FALSE(Key::from_hex(text));
}
