# Deletes through ActiveRecord, looks through ActiveRecord, undeletes in SQL.
# Runs twice, as ../django/checks.py says.
require "json"
require "stringio"
require_relative "models"
require_relative "schema"

SOFT = ENV["MODE"] == "soft"
CONFIG = { adapter: "postgresql", host: ENV["PGHOST"], username: ENV["PGUSER"], database: ENV["PGDATABASE"] }.freeze
ActiveRecord::Base.establish_connection(CONFIG)

# The connection for fixtures, as doc/frameworks.md has it for a test database.
class Load < ActiveRecord::Base
  self.abstract_class = true
  establish_connection(CONFIG.merge(variables: { "softdelete.enabled" => "off", "softdelete.show_deleted" => "on" }))
end

ROWS = {
  publishers: [{ id: 1, name: "Ash", authors_count: 2 }, { id: 2, name: "Bay", authors_count: 0 },
               { id: 3, name: "Coo", authors_count: 0 }],
  imprints: [{ id: 1, publisher_id: 2, name: "small" }],
  authors: [{ id: 1, publisher_id: 1, name: "Ida" }, { id: 2, publisher_id: 1, name: "Jon" },
            { id: 3, publisher_id: nil, name: "Kim" }],
  bios: [{ id: 1, author_id: 1, text: "i" }, { id: 2, author_id: 2, text: "j" }],
  books: [{ id: 1, author_id: 1, title: "One", isbn: "1" }, { id: 2, author_id: 1, title: "Two", isbn: "2" },
          { id: 3, author_id: 2, title: "Three", isbn: "3" }],
  letters: [{ id: 1, author_id: 1, text: "a" }, { id: 2, author_id: 1, text: "b" }],
  drafts: [{ id: 1, author_id: 1, text: "a" }, { id: 2, author_id: 2, text: "b" }],
  shelves: [{ id: 1, name: "A" }, { id: 2, name: "B" }],
  placements: [{ id: 1, book_id: 1, shelf_id: 1 }, { id: 2, book_id: 1, shelf_id: 2 }, { id: 3, book_id: 3, shelf_id: 1 }],
  genres: [{ id: 1, name: "sea" }, { id: 2, name: "land" }],
  books_genres: [{ book_id: 1, genre_id: 1 }, { book_id: 1, genre_id: 2 }, { book_id: 3, genre_id: 1 }],
  readers: [{ id: 1, name: "Lu" }, { id: 2, name: "Mo" }],
  books_readers: [{ book_id: 1, reader_id: 1 }, { book_id: 2, reader_id: 1 }, { book_id: 3, reader_id: 2 }],
  comments: [{ id: 1, commentable_type: "Author", commentable_id: 1, text: "on Ida" },
             { id: 2, commentable_type: "Book", commentable_id: 1, text: "on One" },
             { id: 3, commentable_type: "Book", commentable_id: 3, text: "on Three" }],
  loans: [{ id: 1, who: "x" }, { id: 2, who: "y" }],
  reminders: [{ id: 1, loan_id: 1, text: "a" }, { id: 2, loan_id: 2, text: "b" }],
  fines: [{ id: 1, loan_id: 1, cents: 10 }, { id: 2, loan_id: 2, cents: 20 }]
}.transform_keys(&:to_s).freeze

def tell(line)
  puts JSON.generate(line)
  $stdout.flush
end

# What ActiveRecord answers, or raises: the twin must say the same.
def says(name)
  value = begin
    ActiveRecord::Base.transaction(requires_new: true) do
      answer = yield
      answer.is_a?(ActiveRecord::Base) ? answer.attributes.except("active", "deletion_id") : answer
    end
  rescue StandardError => e
    [e.class.name, e.message]
  end
  tell(name: "#{$title}: #{name}", value: value)
end

def check(name, ok, detail = nil)
  tell(name: "#{$title}: #{name}", ok: ok ? true : false, detail: ok ? nil : detail)
end

def sql(statement)
  ActiveRecord::Base.connection.select_value(statement)
end

def snapshot
  JSON.parse(sql("SELECT orm.snapshot()"))
end

def difference(before, after)
  before.reject { |table, rows| rows == after[table] }
        .to_h { |table, rows| [table, { lost: rows - after[table], new: after[table] - rows }] }
end

def same(name, before)
  found = difference(before, snapshot)
  check(name, found.empty?, found)
end

def load_rows
  Load.connection.truncate_tables(*ROWS.keys)
  fill
end

def fill
  Load.connection.insert_fixtures_set(ROWS, ROWS.keys)
  ROWS.each_key { |table| Load.connection.reset_pk_sequence!(table) if ROWS[table].first.key?(:id) }
end

# Runs the block; then calls of undelete, after the last of which all must be as before.
def scenario(title, *calls)
  $title = title
  load_rows
  before = snapshot
  yield before
  says("whole database") { snapshot }
  return unless SOFT && calls.any?
  begin
    calls.each { |call| call.is_a?(Proc) ? call.call(before) : sql("SELECT #{call}") }
  rescue ActiveRecord::StatementInvalid => e
    return check("undeleted", false, e.message)
  end
  same("undeleted", before)
end

WHOLE = "orm.undelete_last(1)"

def look
  says("count") { [Author, Bio, Book, Letter, Draft, Placement, Comment].map(&:count) }
  says("find") { Author.find(1).name }
  says("find_by") { Author.find_by(id: 1)&.name }
  says("first, last, take") { [Book.first&.id, Book.last&.id, Book.order(:id).take&.id] }
  says("exists?") { [Book.exists?(1), Book.exists?(author_id: 1), Author.where(name: "Ida").any?] }
  says("pluck over a join") { Book.joins(:author).order(:id).pluck("books.title", "authors.name") }
  says("left_joins") { Author.left_joins(:books).order("authors.id", "books.id").pluck("authors.name", "books.title") }
  says("where.missing") { Author.where.missing(:books).order(:id).pluck(:name) }
  says("includes") { Author.order(:id).includes(:books, :bio).map { |a| [a.name, a.books.map(&:title).sort, a.bio&.text] } }
  says("eager_load") { Author.eager_load(:books).order("authors.id").map { |a| [a.name, a.books.size] } }
  says("has_many through") { Shelf.order(:id).map { |s| s.books.order(:id).pluck(:title) } }
  says("has_and_belongs_to_many") { Genre.order(:id).map { |g| g.books.order(:id).pluck(:title) } }
  says("polymorphic") { Comment.order(:id).map { |c| [c.text, c.commentable&.id] } }
  says("group count") { Book.group(:author_id).order(:author_id).count.to_a }
  says("calculations") { [Book.maximum(:id), Book.minimum(:id), Book.sum(:id), Fine.average(:cents)&.to_s] }
  says("subquery") { Author.where(id: Book.select(:author_id)).order(:id).pluck(:name) }
  says("find_each") { Book.find_each(batch_size: 1).map(&:title) }
  says("lock") { Author.lock.order(:id).map(&:name) }
  says("counter cache") { Publisher.order(:id).pluck(:authors_count) }
end

ActiveRecord::Migration.verbose = false
Schema.migrate(:up)
Softdelete.migrate(:up) if SOFT
ActiveRecord::Base.connection.execute(File.read(File.join(__dir__, "..", "snapshot.sql")))

scenario("nothing deleted") { look }

notices = +""
scenario("destroy", lambda { |before|
  ActiveRecord::Base.connection.raw_connection.set_notice_processor { |text| notices << text }
  sql("SELECT softdelete_undelete('authors', 1, cascade := true)")
  check("WARNING names what no foreign key ties to the root",
        notices.include?("WARNING") && notices.include?("comments") && notices.include?("books_readers"), notices)
  found = difference(before, snapshot)
  check("undelete with cascade brings what foreign keys tie to the root",
        found.keys.sort == %w[books_readers comments publishers], found)
  sql("SELECT #{WHOLE}")
  check("a counter cache is not put back",
        difference(before, snapshot).keys == %w[publishers], difference(before, snapshot))
  Publisher.reset_counters(1, :authors)
  check("reset_counters does that", Publisher.find(1).authors_count == 2)
}) do
  author = Author.find(1)
  stale = Author.find(1)
  says("answer") { author.destroy }
  says("state") { [author.destroyed?, author.frozen?, author.persisted?] }
  look
  says("reload") { stale.reload }
  says("stale update") { stale.update!(name: "x") }
  says("update_all") { Author.where(id: 1).update_all(name: "x") }
  says("destroy again") { Author.destroy(1) }
  says("stale destroy") { stale.destroyed? }
  says("delete again") { Author.delete(1) }
  says("new reference") { Letter.insert({ author_id: 1, text: "z" }).rows.size }
end

scenario("dependent: :nullify", "softdelete_undelete('authors', 2, cascade := true)", WHOLE,
         ->(_) { Publisher.reset_counters(1, :authors) }) do
  says("answer") { Author.find(2).destroy }
  says("drafts") { Draft.order(:id).pluck(:id, :author_id) }
end

scenario("dependent: restrict") do
  publisher = Publisher.find(1)
  says("restrict_with_error") { [publisher.destroy, publisher.errors.full_messages] }
  says("restrict_with_exception") { Publisher.find(2).destroy }
  says("by the foreign key") { Publisher.delete(1) }
  says("authors go") { Author.destroy_all.size }
  says("deleted authors do not restrict") { Publisher.find(1).destroy }
  says("nor imprints") { [Imprint.delete_all, Publisher.find(2).destroy.id] }
  says("publishers") { Publisher.pluck(:id) }
end

scenario("delete_all", "orm.undelete_last(4)") do
  says("all") { Letter.delete_all }
  says("where") { Comment.where(commentable_type: "Book").delete_all }
  says("over a join") { Placement.joins(:book).where(books: { author_id: 1 }).delete_all }
  says("with a limit") { Reminder.order(:id).limit(1).delete_all }
  says("again") { Letter.delete_all }
  look
end

scenario("delete, destroy_by, delete_by, in_batches", "orm.undelete_last(4)") do
  says("delete") { Letter.delete(1) }
  says("delete two") { Fine.delete([1, 2]) }
  says("destroy_by") { Comment.destroy_by(text: "on Ida").map(&:id) }
  says("delete_by") { Comment.delete_by(commentable_type: "Book") }
  says("none") { Comment.destroy_by(text: "on Ida").map(&:id) }
  says("in_batches") { Comment.in_batches(of: 1).delete_all }
end

scenario("optimistic locking", "softdelete_undelete('books', 3, cascade := true)", WHOLE) do
  one = Book.find(3)
  two = Book.find(3)
  says("update") { one.update!(title: "Three") || true }
  says("changes") { [one.update!(title: "3"), one.lock_version] }
  says("stale update") { two.update!(title: "iii") }
  says("stale destroy") { two.destroy }
  says("books") { Book.count }
  says("back") { [one.update!(title: "Three"), one.lock_version] }
  ActiveRecord::Base.connection.execute("UPDATE books SET lock_version = 0 WHERE id = 3")
  fresh = Book.find(3)
  late = Book.find(3)
  says("destroy") { fresh.destroy }
  says("update of what is gone") { late.update!(title: "iii") }
  says("destroy of what is gone") { late.destroy }
  says("destroyed?") { [fresh.destroyed?, Book.exists?(3)] }
end

scenario("has_and_belongs_to_many", "orm.undelete_last(3)") do
  book = Book.find(1)
  says("delete") { book.genres.delete(Genre.find(1)).map(&:name) }
  says("genres") { book.reload.genres.map(&:name) }
  says("clear without foreign keys") { book.readers.clear.map(&:name) }
  says("from the other side") { Genre.find(1).books = [] }
  says("all") { [Genre.order(:id).map { |g| g.books.count }, Reader.order(:id).map { |r| r.books.count }] }
end

scenario("has_and_belongs_to_many: an end goes", "softdelete_undelete('genres', 1, cascade := true)",
         WHOLE) do
  says("with foreign keys") { Genre.find(1).destroy }
  says("without") { Reader.find(1).destroy }
  says("books") { Book.order(:id).map { |b| [b.genres.map(&:name), b.readers.map(&:name)] } }
end

scenario("has_many through", "softdelete_undelete('shelves', 1, cascade := true)", "orm.undelete_last(2)") do
  says("delete") { Book.find(1).shelves.delete(Shelf.find(2)).map(&:name) }
  says("shelf") { Shelf.find(1).destroy }
  says("shelves") { Book.order(:id).map { |b| b.shelves.map(&:name) } }
end

scenario("actions of the database", "softdelete_undelete('loans', 1, cascade := true)",
         "softdelete_undelete('loans', 2, cascade := true)") do
  says("destroy") { Loan.find(1).destroy }
  says("delete") { Loan.delete(2) }
  says("reminders") { Reminder.count }
  says("fines") { Fine.order(:id).pluck(:id, :loan_id) }
end

scenario("creating") do
  says("destroy") { Genre.find(2).destroy }
  says("find_or_create_by") { Genre.find_or_create_by(name: "land").id }
  says("first_or_initialize") { Genre.where(name: "land").first_or_initialize.new_record? }
  says("create") { Genre.create!(name: "air") }
  says("insert_all") { Genre.insert_all([{ name: "p" }, { name: "q" }]).rows }
  says("insert_all of a live key") { Book.insert_all([{ author_id: 2, isbn: "3" }]).rows }
  says("insert_all! of a live key") { Book.insert_all!([{ author_id: 2, isbn: "3" }]) }
  says("upsert_all of a live key") { Book.upsert_all([{ author_id: 2, isbn: "3", title: "new" }], unique_by: :isbn).rows }
  says("books") { Book.order(:id).pluck(:id, :title) }
  says("dup") { Genre.find(1).dup.save }
  says("validates uniqueness") { Book.new(author_id: 1, isbn: "1").tap(&:valid?).errors.full_messages }
end

scenario("all columns written", "softdelete_undelete('genres', 2, cascade := true)") do
  Genre.partial_writes = false
  says("create") { Genre.create!(name: "air") }
  says("update") { [Genre.find(1).update!(name: "sky"), Genre.find(1).name] }
  says("back") { [Genre.find(1).update!(name: "sea"), Genre.find_by(name: "air").destroy.id] }
  says("destroy") { Genre.find(2).destroy }
  Genre.partial_writes = true
end

scenario("ignored columns", "softdelete_undelete('genres', 2, cascade := true)") do
  says("attributes") { PlainGenre.new.attributes.keys }
  says("attributes of a row") { PlainGenre.find(1).attributes.to_a }
  says("destroy") { [PlainGenre.joins("JOIN books_genres ON genre_id = id").distinct.count, PlainGenre.find(2).destroyed?] }
  says("by the foreign key") { PlainGenre.find(2).destroy }
  says("delete") { Genre.find(2).destroy }
end

scenario("transactions", WHOLE) do
  says("rolled back") { Author.transaction(requires_new: true) { Letter.delete_all; raise ActiveRecord::Rollback }; Letter.count }
  Letter.transaction do
    Letter.delete(1)
    Letter.transaction(requires_new: true) { Letter.delete_all; raise ActiveRecord::Rollback }
  end
  says("savepoint rolled back") { Letter.pluck(:id) }
end

# ---- what stands or falls with the keys of deleted rows being free

scenario("keys") do
  says("destroy") { [Book.find(2).destroy.id, Bio.find(2).destroy.id] }
  says("unique value") { Book.create!(author_id: 1, title: "Two", isbn: "2").title }
  says("validates uniqueness") { Book.new(author_id: 1, isbn: "2").valid? }
  says("has_one") { Bio.create!(author_id: 2, text: "new").text }
  says("has_one replaced") { [Author.find(1).create_bio(text: "newer").text, Bio.where(author_id: 1).count] }
  says("insert_all") { [Book.destroy_by(isbn: "1").size, Book.insert_all([{ author_id: 2, isbn: "1" }], unique_by: :isbn).rows.size] }
  says("upsert_all") { [Bio.delete_by(author_id: 1), Bio.upsert_all([{ author_id: 1, text: "x" }], unique_by: :author_id).rows.size] }
  says("upsert_all again") { Bio.upsert_all([{ author_id: 1, text: "y" }], unique_by: :author_id).rows.size }
  says("bios") { Bio.order(:author_id).pluck(:author_id, :text) }
  says("has_and_belongs_to_many: there and back") do
    book = Book.find(3)
    book.genres.delete(1)
    book.genres << Genre.find(1)
    book.reload.genres.map(&:name)
  end
  says("has_and_belongs_to_many: without a key") do
    book = Book.find(3)
    book.readers.clear
    book.readers = [Reader.find(2)]
    book.reload.readers.map(&:name)
  end
  says("create with a key that no foreign key refers to") { [Letter.delete(1), Letter.create!(id: 1, author_id: 1, text: "again").id] }
end

# ---- test databases

if SOFT
  $title = "test database"
  physical = ->(table) { Load.connection.select_value("SELECT count(*) FROM #{table}") }
  load_rows
  Letter.delete(1)
  check("a deleted row is there", physical["letters"] == 2)
  fill
  check("fixtures load over deleted rows", Letter.count == 2 && physical["letters"] == 2)
  Letter.delete(1)
  Load.connection.execute("DELETE FROM letters WHERE id = 2")
  check("softdelete.enabled = off deletes really", physical["letters"] == 1)
  Load.connection.truncate_tables(*ROWS.keys)
  check("truncation takes deleted rows too", ROWS.keys.all? { |table| physical[table].zero? })
  check("uses of softdelete.enabled = off are on record", sql("SELECT count(*) > 0 FROM softdelete.events WHERE event = 'bypass'"))

  $title = "schema.rb"
  dump = StringIO.new
  ActiveRecord::SchemaDumper.dump(ActiveRecord::Base.connection, dump)
  check("has the columns", dump.string.include?('t.boolean "active", default: true, null: false, comment: "softdelete:'), dump.string)
  ActiveRecord::Schema.verbose = false
  eval(dump.string) # rubocop:disable Security/Eval
  check("has no registration", sql("SELECT count(*) FROM softdelete.tables").zero?)
  Softdelete.new.up
  fill
  Genre.find(2).destroy
  check("which comes back with its columns",
        sql("SELECT count(*) FROM softdelete.tables WHERE flag_column <> 'active'").zero? &&
        Genre.count == 1 && physical["genres"] == 2)
end
