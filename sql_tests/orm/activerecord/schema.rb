class Schema < ActiveRecord::Migration[6.1]
  def change
    create_table(:publishers) { |t| t.string :name; t.integer :authors_count, default: 0, null: false }
    create_table(:imprints) { |t| t.references :publisher, foreign_key: true; t.string :name }
    create_table(:authors) { |t| t.references :publisher, foreign_key: true; t.string :name }
    create_table(:bios) { |t| t.references :author, foreign_key: true, index: { unique: true }; t.string :text }
    create_table(:books) do |t|
      t.references :author, foreign_key: true
      t.string :title
      t.string :isbn, index: { unique: true }
      t.integer :lock_version, default: 0, null: false
    end
    create_table(:letters) { |t| t.references :author, foreign_key: true; t.string :text }
    create_table(:drafts) { |t| t.references :author, foreign_key: true; t.string :text }
    create_table(:shelves) { |t| t.string :name }
    create_table(:placements) { |t| t.references :book, foreign_key: true; t.references :shelf, foreign_key: true }
    create_table(:genres) { |t| t.string :name }
    create_join_table(:books, :genres) do |t|
      t.foreign_key :books
      t.foreign_key :genres
      t.index [:book_id, :genre_id], unique: true
    end
    create_table(:readers) { |t| t.string :name }
    create_join_table(:books, :readers)
    create_table(:comments) { |t| t.references :commentable, polymorphic: true; t.string :text }
    create_table(:loans) { |t| t.string :who }
    create_table(:reminders) { |t| t.references :loan, foreign_key: { on_delete: :cascade }; t.string :text }
    create_table(:fines) { |t| t.references :loan, foreign_key: { on_delete: :nullify }; t.integer :cents }
  end
end

# Foreign keys without on_delete do not lead from one table to the next, and
# some tables have none: all are named.
class Softdelete < ActiveRecord::Migration[6.1]
  def up
    execute "CREATE EXTENSION IF NOT EXISTS softdelete"
    (tables - %w[schema_migrations ar_internal_metadata]).each do |table|
      execute "SELECT softdelete_register(#{quote(quote_table_name(table))})"
    end
  end

  def down; end
end
